import { createHash } from "node:crypto";
import type { StoredCandle } from "../../core/candle.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { type Evidence, type Verdict, verdict } from "./evidence.ts";

const FIELDS = [
  "open",
  "high",
  "low",
  "close",
  "volume",
  "quoteVolume",
  "trades",
  "takerBuyVolume",
  "takerBuyQuoteVolume",
] as const;
const ROW_FIELDS = [
  ...FIELDS,
  "symbol",
  "openTime",
  "provenance",
  "prevOpenTime",
  "firstTradeId",
  "lastTradeId",
] as const;

/** The market's side: what is stored is what the exchange traded, once, in order, and was never seen before it was durable. */
export function judgeMarket(evidence: Evidence): readonly Verdict[] {
  return [
    candles(evidence),
    gaps(evidence),
    commitOrder(evidence),
    store(evidence),
    durable("wire-durable", "candles heard on the wire", evidence.wire, evidence.rows),
    durable("segments-durable", "rows read from segments", evidence.segments, evidence.rows),
    digests(evidence),
  ];
}

function candles({ rows, truth }: Evidence): Verdict {
  const real = new Map(truth.map((row) => [keyOf(row), row]));
  const seen = new Set<string>();
  const faults: string[] = [];
  if (rows.length === 0) faults.push("no candle was stored");
  for (const row of rows) {
    const key = keyOf(row);
    const its = real.get(key);
    if (seen.has(key)) faults.push(`${key} is stored twice`);
    seen.add(key);
    if (!its) faults.push(`${key} is no minute of the exchange`);
    else {
      const differing = FIELDS.filter((field) => row[field] !== its[field]);
      if (differing.length > 0) faults.push(`${key} (${row.provenance}): ${differing.join(", ")} differ`);
    }
  }
  return verdict("candles", faults, `${rows.length} candles equal the exchange's own in ${FIELDS.length} fields`);
}

function gaps({ rows, gaps: recorded, symbols }: Evidence): Verdict {
  const faults: string[] = [];
  let missing = 0;
  for (const symbol of symbols) {
    const times = rows.filter((row) => row.symbol === symbol).map((row) => row.openTime);
    const stored = new Set(times);
    const first = times.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);
    const last = times.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY);
    if (times.length === 0) faults.push(`${symbol} has no candle`);
    for (let minute = first; minute < last; minute += MINUTE_MS) {
      if (stored.has(minute)) continue;
      missing++;
      const isTold = recorded.some(
        (gap) => gap.symbol === symbol && gap.fromOpenTime <= minute && minute <= gap.toOpenTime,
      );
      if (!isTold) faults.push(`${symbol} ${minute} is missing and no gap`);
    }
  }
  return verdict("gaps", faults, missing === 0 ? "no minute is missing" : `${missing} missing minutes, all recorded`);
}

function commitOrder({ rows }: Evidence): Verdict {
  const faults: string[] = [];
  const last = new Map<string, number>();
  for (const [at, row] of rows.entries()) {
    if (row.commitSeq !== at + 1) faults.push(`row ${at + 1} has commitSeq ${row.commitSeq}`);
    const previous = last.get(row.symbol) ?? null;
    if (row.prevOpenTime !== previous) faults.push(`${keyOf(row)} follows ${row.prevOpenTime}, not ${previous}`);
    if (previous !== null && row.openTime <= previous) faults.push(`${keyOf(row)} is not above ${previous}`);
    last.set(row.symbol, row.openTime);
    if (faults.length > 20) break;
  }
  return verdict("commit-seq", faults, `1 to ${rows.length} without holes, each linked to its symbol's previous row`);
}

function store({ verify, rows }: Evidence): Verdict {
  if ("problem" in verify) return verdict("store", [verify.problem], "");
  const faults = verify.checks.filter((check) => !check.ok).map((check) => `${check.id}: ${check.detail}`);
  if (!verify.ok && faults.length === 0) faults.push("fabric data verify does not hold");
  if (verify.rows !== rows.length)
    faults.push(`market.duckdb holds ${verify.rows} candles, its segments ${rows.length}`);
  return verdict(
    "store",
    faults,
    `market.duckdb and ${verify.segments} segments open and agree row by row (${verify.checks.length} checks)`,
  );
}

/** What became visible is in the store, with the same values. */
function durable(id: string, what: string, visible: readonly StoredCandle[], rows: readonly StoredCandle[]): Verdict {
  const faults: string[] = [];
  if (visible.length === 0) faults.push(`no ${what}`);
  for (const row of visible) {
    // Rows are numbered from 1 without holes, which is judged by itself.
    const stored = rows[row.commitSeq - 1];
    if (!stored) faults.push(`row ${row.commitSeq} (${keyOf(row)}) is not stored`);
    else {
      const differing = ROW_FIELDS.filter((field) => row[field] !== stored[field]);
      if (differing.length > 0) faults.push(`row ${row.commitSeq}: ${differing.join(", ")} differ`);
    }
  }
  return verdict(id, faults, `${visible.length} ${what}, all stored with the same values`);
}

/** The digests that runners journaled and every consumer told, against a fold written apart from the product's. */
function digests({ rows, runners, rails }: Evidence): Verdict {
  const faults: string[] = [];
  let compared = 0;
  for (const { runner, found } of runners) {
    if (found.cursors.length === 0) faults.push(`${runner} decided nothing`);
    for (const { symbol, digest, delivered, last_open_time } of found.cursors) {
      const expected = digestOf(rows, String(symbol), Number(delivered), Number(last_open_time));
      compared++;
      if (digest !== expected) faults.push(`${runner} ${symbol}: ${digest} after ${delivered}, not ${expected}`);
    }
  }
  for (const { node, rails: told } of rails) {
    for (const { symbol, digest, delivered, lastOpenTime } of told) {
      if (lastOpenTime === null) continue;
      compared++;
      const expected = digestOf(rows, symbol, delivered, lastOpenTime);
      if (digest !== expected) faults.push(`${node} told ${symbol}: ${digest} after ${delivered}, not ${expected}`);
    }
  }
  if (compared === 0) faults.push("nobody told a digest");
  return verdict("digests", faults, `${compared} digests equal an independent fold of the store`);
}

/** The digest over a symbol's newest `delivered` candles up to a minute, from the rule's words alone (core/digest.ts is not used). */
export function digestOf(
  rows: readonly StoredCandle[],
  symbol: string,
  delivered: number,
  lastOpenTime: number,
): string | null {
  const given = rows.filter(
    (row) =>
      row.symbol === symbol &&
      row.openTime <= lastOpenTime &&
      row.provenance !== "imported" &&
      row.provenance !== "partial",
  );
  if (given.length < delivered || given.at(-1)?.openTime !== lastOpenTime) return null;
  let digest = "0".repeat(32);
  for (const row of given.slice(given.length - delivered)) {
    const words = [digest, row.symbol, `${row.openTime}`];
    for (const field of FIELDS) words.push(`${row[field]}`);
    digest = createHash("sha256").update(words.join("|")).digest("hex").slice(0, 32);
  }
  return digest;
}

function keyOf(row: { readonly symbol: string; readonly openTime: number }): string {
  return `${row.symbol} ${row.openTime}`;
}
