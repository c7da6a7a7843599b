import { createHash } from "node:crypto";
import type { StoredCandle } from "../../core/candle.ts";
import { CANDLE_FIGURES } from "../../core/candle.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { SPEED } from "./cast.ts";
import { type Evidence, type Verdict, verdict } from "./evidence.ts";

const ROW_FIELDS = [
  ...CANDLE_FIGURES,
  "symbol",
  "openTime",
  "provenance",
  "prevOpenTime",
  "firstTradeId",
  "lastTradeId",
] as const;

/** Of the play's own rows an undeaf subscriber hears more than this, however often its publisher is killed. */
const LEAST_HEARD = 0.2;
/** Damaged files heal within seconds: an own reader of the published store fails less often than this. */
const MOST_FAILED = 0.9;
/** What `fabric data verify` looks at at least. */
const STORE_CHECKS = ["keys", "manifest", "segments"] as const;

/** The market's side: what is stored is what the exchange traded, once, in order, and was never seen before it was durable. */
export function judgeMarket(evidence: Evidence): readonly Verdict[] {
  return [
    candles(evidence),
    gaps(evidence),
    commitOrder(evidence),
    store(evidence),
    wire(evidence),
    segments(evidence),
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
      const differing = CANDLE_FIGURES.filter((field) => row[field] !== its[field]);
      if (differing.length > 0) faults.push(`${key} (${row.provenance}): ${differing.join(", ")} differ`);
    }
  }
  return verdict(
    "candles",
    faults,
    `${rows.length} candles equal the exchange's own in ${CANDLE_FIGURES.length} fields`,
  );
}

function gaps({ rows, gaps: recorded, symbols, outages }: Evidence): Verdict {
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
  const minutes = recorded.reduce((sum, gap) => sum + (gap.toOpenTime - gap.fromOpenTime) / MINUTE_MS + 1, 0);
  // The exchange has every minute: only those may be given up that it could not be asked for within market-data's patience.
  const allowed = symbols.length * Math.ceil((outages.beyondPatienceMs * SPEED) / MINUTE_MS);
  if (minutes > allowed)
    faults.push(
      `${minutes} minutes are recorded as gaps, and the exchange was away long enough for ${allowed} (${outages.longestMs} ms at most)`,
    );
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
  for (const id of STORE_CHECKS)
    if (!verify.checks.some((check) => check.id === id)) faults.push(`${id} was not checked`);
  if (!verify.ok && faults.length === 0) faults.push("fabric data verify does not hold");
  if (verify.rows !== rows.length)
    faults.push(`market.duckdb holds ${verify.rows} candles, its segments ${rows.length}`);
  return verdict(
    "store",
    faults,
    `market.duckdb and ${verify.segments} segments open and agree row by row (${verify.checks.length} checks)`,
  );
}

/** An own subscriber misses what is published while it connects anew after a kill; of the play's own rows it hears most. */
function wire({ wire: heard, rows, runners, forgotten }: Evidence): Verdict {
  const faults = differing(heard, rows);
  if (forgotten > 0) faults.push(`${forgotten} candles were heard and not compared`);
  // What was there before the runners began was published before the subscriber was there, in part.
  const from = runners.reduce((least, { found }) => Math.min(least, found.startSeq), Number.POSITIVE_INFINITY);
  const live = rows.filter(({ commitSeq }) => commitSeq > from).length;
  const liveHeard = new Set(heard.map(({ commitSeq }) => commitSeq).filter((seq) => seq > from)).size;
  if (heard.length === 0 || liveHeard < live * LEAST_HEARD)
    faults.push(`no candles heard on the wire but ${liveHeard} of the play's ${live}`);
  return verdict(
    "wire-durable",
    faults,
    `${heard.length} candles heard on the wire (${liveHeard} of the play's ${live}), all stored with the same values`,
  );
}

function segments({ segments: read, rows, segmentReads: { reads, failures, atLast } }: Evidence): Verdict {
  const faults = differing(read, rows);
  const distinct = new Set(read.map(({ commitSeq }) => commitSeq)).size;
  if (read.length === 0 || distinct < rows.length) faults.push(`${distinct} of ${rows.length} rows read from segments`);
  if (distinct < read.length) faults.push(`${read.length - distinct} rows were given twice`);
  if (atLast !== null) faults.push(`the last read failed: ${atLast}`);
  if (failures > reads * MOST_FAILED) faults.push(`${failures} of ${reads} reads failed`);
  return verdict(
    "segments-durable",
    faults,
    `${read.length} rows read from segments, all stored with the same values (${failures} of ${reads} reads failed)`,
  );
}

/** What became visible must be in the store, with the same values. */
function differing(visible: readonly StoredCandle[], rows: readonly StoredCandle[]): string[] {
  const faults: string[] = [];
  for (const row of visible) {
    // Rows are numbered from 1 without holes, which is judged by itself.
    const stored = rows[row.commitSeq - 1];
    if (!stored) faults.push(`row ${row.commitSeq} (${keyOf(row)}) is not stored`);
    else {
      const fields = ROW_FIELDS.filter((field) => row[field] !== stored[field]);
      if (fields.length > 0) faults.push(`row ${row.commitSeq}: ${fields.join(", ")} differ`);
    }
  }
  return faults;
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
    for (const field of CANDLE_FIGURES) words.push(`${row[field]}`);
    digest = createHash("sha256").update(words.join("|")).digest("hex").slice(0, 32);
  }
  return digest;
}

function keyOf(row: { readonly symbol: string; readonly openTime: number }): string {
  return `${row.symbol} ${row.openTime}`;
}
