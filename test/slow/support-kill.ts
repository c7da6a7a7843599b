import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import type { StoredCandle } from "../../src/core/candle.ts";
import { nodeName } from "../../src/core/symbol.ts";
import { openStoreReader } from "../../src/store/reader.ts";
import { asStrategy } from "../../src/strategy/load.ts";
import { deliveryAfter } from "../execution/support/market.ts";
import { hostOf, journalContents, journalIn, runnerOf } from "../execution/support/runner.ts";
import { fabric } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** A user's strategy that trades on most candles, up to twice, out of a state that only an exact fold brings back. */
export const BUSY_STRATEGY = `
import { defineStrategy, v } from "fabric";
export default defineStrategy({
  name: "busy", version: "1", params: v.object({}), warmup: () => 30,
  init: () => ({ average: 0, seen: 0 }),
  onCandle({ candle, state, position, warmingUp }) {
    state.seen++;
    state.average = state.average === 0 ? candle.close : state.average * 0.9 + candle.close * 0.1;
    if (warmingUp) return;
    const up = candle.close > state.average;
    const decisions = [{ side: up ? "buy" : "sell", quantity: "0.01", reason: "seen " + state.seen + ", held " + position.quantity }];
    if (state.seen % 3 === 0) decisions.push({ side: up ? "sell" : "buy", quantity: "0.004" });
    return state.seen % 7 === 0 ? [] : decisions;
  },
});
`;

export type Row = Readonly<Record<string, string | number | null>>;

/** The rows of a fabric command that prints JSON; throws with its words where it fails. */
export async function rowsOf(words: readonly string[]): Promise<readonly Row[]> {
  const { code, out, err } = await fabric(words);
  if (code !== 0) throw new Error(`${words[0]} exited with ${code}: ${err}`);
  return JSON.parse(out) as Row[];
}

/** Every revision-0 row of the published store, in commitSeq order, and how many gaps it knows. */
export async function storeRows(data: string): Promise<{ rows: readonly StoredCandle[]; gaps: number }> {
  const reader = openStoreReader({ folder: data }, platform);
  try {
    const view = await reader.view();
    const rows: StoredCandle[] = [];
    for (const symbol of view?.heads.keys() ?? [])
      rows.push(...(await reader.history(symbol, 0, Number.MAX_SAFE_INTEGER)));
    rows.sort((one, other) => one.commitSeq - other.commitSeq);
    return { rows, gaps: (await reader.gaps(null)).length };
  } finally {
    await reader.close();
  }
}

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

/** Where the store's rows are not the simulated market's own candles, each minute once and none missing. Empty is well. */
export async function againstTruth(rows: readonly StoredCandle[], seed: number): Promise<readonly string[]> {
  const symbols = [...new Set(rows.map((row) => row.symbol))];
  const times = rows.map((row) => row.openTime);
  const from = Math.min(...times);
  const minutes = (Math.max(...times) - from) / 60_000 + 1;
  const market = ["--seed", `${seed}`, "--symbols", symbols.join(","), "--start", new Date(from).toISOString()];
  const truth = await rowsOf(["sim", "--truth", "--json", "--minutes", `${minutes}`, ...market]);
  const wrong: string[] = [];
  for (const symbol of symbols) {
    const stored = rows.filter((row) => row.symbol === symbol);
    const byTime = new Map(stored.map((row) => [row.openTime, row]));
    if (byTime.size !== stored.length) wrong.push(`${symbol}: ${stored.length - byTime.size} minutes twice`);
    const last = Math.max(...stored.map((row) => row.openTime));
    for (const real of truth.filter((row) => row.symbol === symbol && Number(row.openTime) <= last)) {
      const row = byTime.get(Number(real.openTime));
      if (row) byTime.delete(row.openTime);
      const differing = FIELDS.filter((field) => row?.[field] !== real[field]);
      if (!row) wrong.push(`${symbol} ${real.openTime} is missing`);
      else if (differing.length > 0) wrong.push(`${symbol} ${real.openTime} (${row.provenance}): ${differing} differ`);
    }
    if (byTime.size > 0) wrong.push(`${symbol}: ${byTime.size} minutes that the market does not have`);
  }
  return wrong;
}

interface CursorFacts {
  readonly symbol: string;
  readonly digest: string;
  readonly delivered: number;
  readonly commitSeq: number;
}

interface JournalFacts {
  readonly storeId: string;
  readonly symbols: string;
  readonly startSeq: number;
  readonly throughSeq: number;
  readonly cursors: readonly CursorFacts[];
}

/** What a runner's journal says of where it began and stands, read beside its living runner. */
export function journalFacts(data: string, runner: string): JournalFacts {
  const database = platform.openSqlite(join(data, "journal", `${runner}.sqlite`), { readOnly: true });
  try {
    const rows = database.prepare("SELECT key, value FROM meta").all();
    const meta = new Map(rows.map((row) => [String(row.key), String(row.value)]));
    const cursors = database.prepare("SELECT * FROM cursor ORDER BY symbol").all();
    return {
      storeId: meta.get("storeId") ?? "",
      symbols: meta.get("symbols") ?? "",
      startSeq: Number(meta.get("startSeq")),
      throughSeq: Number(meta.get("throughSeq") ?? 0),
      cursors: cursors.map((row) => ({
        symbol: String(row.symbol),
        digest: String(row.digest),
        delivered: Number(row.delivered),
        commitSeq: Number(row.commit_seq),
      })),
    };
  } finally {
    database.close();
  }
}

/** The digests after each of a symbol's candles, from the rule's words alone: written apart from src/core/digest.ts. */
export function digestChain(rows: readonly StoredCandle[], symbol: string, startSeq: number): readonly string[] {
  const chain = ["0".repeat(32)];
  let lastOpenTime = Number.NEGATIVE_INFINITY;
  for (const row of rows) {
    if (row.symbol !== symbol || row.commitSeq <= startSeq || row.openTime <= lastOpenTime) continue;
    if (row.provenance === "imported" || row.provenance === "partial") continue;
    lastOpenTime = row.openTime;
    const figures = FIELDS.map((field) => `${row[field]}`);
    const text = [chain.at(-1), symbol, `${row.openTime}`, ...figures].join("|");
    chain.push(createHash("sha256").update(text).digest("hex").slice(0, 32));
  }
  return chain;
}

/** Where a runner's journal is not what the store's delivery, without any disturbance, leads to. Empty is well. */
export async function againstUndisturbed(
  data: string,
  runner: string,
  strategyFile: string | null,
  rows: readonly StoredCandle[],
): Promise<readonly string[]> {
  const facts = journalFacts(data, runner);
  const wrong: string[] = [];
  for (const { symbol, digest, delivered } of facts.cursors) {
    const expected = digestChain(rows, symbol, facts.startSeq)[delivered];
    if (expected !== digest) wrong.push(`${runner} ${symbol}: digest ${digest} after ${delivered}, not ${expected}`);
  }
  using folder = tempFolder();
  await replay(data, folder.path, runner, strategyFile, rows, facts);
  const path = (base: string) => join(base, "journal", `${runner}.sqlite`);
  const found = journalContents(path(data)) as Record<string, unknown[]>;
  const wanted = journalContents(path(folder.path)) as Record<string, unknown[]>;
  for (const table of ["cursors", "anchors", "intents", "fills", "states"]) {
    const [one, other] = [found[table] ?? [], wanted[table] ?? []];
    if (one.length !== other.length) wrong.push(`${runner}: ${one.length} ${table}, undisturbed ${other.length}`);
    const at = one.findIndex((row, index) => JSON.stringify(row) !== JSON.stringify(other[index]));
    if (at >= 0) wrong.push(`${runner}: ${table} ${JSON.stringify(one[at])}, not ${JSON.stringify(other[at])}`);
  }
  return wrong;
}

/** A runner that nobody kills, on a fresh journal, over the same rows from the same start to the same end. */
async function replay(
  data: string,
  into: string,
  runner: string,
  strategyFile: string | null,
  rows: readonly StoredCandle[],
  facts: JournalFacts,
): Promise<void> {
  const strategy = await strategyOf(runner, strategyFile);
  const host = hostOf(strategy);
  const binding = { storeId: facts.storeId, runner: nodeName(runner), symbols: facts.symbols.split(",") };
  const journal = journalIn(into, { ...binding, ...host.identity, timeframe: host.timeframe });
  const reader = openStoreReader({ folder: data }, platform);
  const core = runnerOf({ journal, maker: host, market: reader });
  try {
    const cursor = await core.start(facts.startSeq);
    const ends = new Map(facts.cursors.map((each) => [each.symbol, each.commitSeq]));
    const through = rows.filter((row) => row.commitSeq <= (ends.get(row.symbol) ?? 0));
    for (const { event, cursor: at } of deliveryAfter(through, cursor)) await core.handle(event, at);
  } finally {
    await core.close();
    await reader.close();
  }
}

async function strategyOf(runner: string, file: string | null) {
  const { BUILTIN_STRATEGIES } = await import("../../src/strategy/builtins.ts");
  if (file === null) {
    const builtin = BUILTIN_STRATEGIES.get(runner);
    if (!builtin) throw new Error(`No built-in ${runner}`);
    return builtin;
  }
  const exports = await import("../../src/role/user-api.ts");
  return asStrategy(await platform.importUserFile(file, exports), file);
}

/** The newest row that the manifest publishes; 0 before the first. */
export async function publishedThrough(data: string): Promise<number> {
  const reader = openStoreReader({ folder: data }, platform);
  const view = await reader.view();
  await reader.close();
  return view?.throughSeq ?? 0;
}

/** Wall ms until the simulated market's next minute ends; its clock is kept in sim.json. */
export function wallMsToClose(data: string): number {
  const text = readFileSync(join(data, "sim.json"), "utf8");
  const state = JSON.parse(text) as { speed: number; anchorExchangeMs: number; anchorWallMs: number };
  const now = state.anchorExchangeMs + (Date.now() - state.anchorWallMs) * state.speed;
  return (60_000 - (now % 60_000)) / state.speed;
}
