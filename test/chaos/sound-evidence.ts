import { writeFileSync } from "node:fs";
import type { StoredCandle } from "../../src/core/candle.ts";
import type { CandleBody, RailState } from "../../src/core/wire.ts";
import { simTruth } from "../../src/feed/sim/truth.ts";
import { LIVE_RUNNER, PAPER_RUNNERS, type Runner, strategyText } from "../../src/role/chaos/cast.ts";
import type { Evidence, RunnerEvidence } from "../../src/role/chaos/evidence.ts";
import type { JournalContents } from "../../src/role/chaos/journals.ts";
import { digestOf } from "../../src/role/chaos/judge-market.ts";
import { undisturbedRun } from "../../src/role/chaos/undisturbed.ts";
import { tempFolder } from "../support/temp-folder.ts";

export const START = Date.UTC(2025, 0, 1);
const SYMBOLS = ["BTCUSDT", "ETHUSDT"];
const MINUTES = 60;
/** The runners began after this many rows: what lies before is warm-up. */
const START_SEQ = 2 * 40;

/** Evidence as of a run in which nothing went wrong: a market's own candles, decided on by the play's own strategies. */
export async function soundEvidence(): Promise<Evidence> {
  const truth = [...simTruth({ seed: 7, symbols: SYMBOLS, startMs: START, minutes: MINUTES })];
  const last = new Map<string, number>();
  const rows = truth.map(({ closeTime: _closeTime, ...row }, at): StoredCandle => {
    const prevOpenTime = last.get(row.symbol) ?? null;
    last.set(row.symbol, row.openTime);
    return { ...row, provenance: row.trades === 0 ? "empty" : "complete", commitSeq: at + 1, prevOpenTime };
  });
  const runners: RunnerEvidence[] = [];
  for (const runner of PAPER_RUNNERS) runners.push(await runnerEvidence(runner, rows));
  const { live, venue } = liveEvidence(rows);
  runners.push(live);
  return {
    symbols: SYMBOLS,
    rows,
    gaps: [],
    truth,
    verify: {
      ok: true,
      storeId: "store",
      venue: "binance-spot",
      environment: "sim",
      rows: rows.length,
      symbols: 2,
      gaps: 0,
      revisions: 0,
      segments: 1,
      checks: ["keys", "manifest", "segments"].map((id) => ({ id, ok: true, detail: "" })),
    },
    runners,
    venue,
    rails: [{ node: "scanner", rails: SYMBOLS.map((symbol) => railOf(symbol, rows)) }],
    wire: rows.slice(START_SEQ).map((row) => ({ ...row, ...ENVELOPE, closeTime: row.openTime + 59_999 })),
    segments: rows,
    forgotten: 0,
    segmentReads: { reads: 100, failures: 30, atLast: null },
    outages: { longestMs: 6000, beyondPatienceMs: 0 },
    wished: { kill: 9, file: 9, disk: 1 },
    problems: [],
    blind: null,
    play: {
      kills: { runner: 1 },
      faults: { "file.socket": 4 },
      deaths: [],
      seconds: ["market-data", "busy"].map((node) => {
        const expected = node === "market-data" ? 69 : 77;
        return {
          node,
          expected,
          code: expected,
          pid: 41,
          said: "fabric: process 41 holds it",
          unadvertised: false,
          void: false,
        };
      }),
      bridge: { requests: 24, answered: 24, acted: [], handles: [] },
      healings: [{ fault: "socket", what: "socket of busy", backMs: 300 }],
      skipped: [],
    },
    caughtUp: { boundMs: 1000, tookMs: 10, waitingFor: [] },
    stops: [{ node: "busy", role: "runner", pid: 41, code: 0, signal: null, ours: true, upMs: 9, lastLine: "" }],
    leftBehind: [],
  };
}

const ENVELOPE: Omit<CandleBody, keyof StoredCandle | "closeTime"> = {
  v: 1,
  node: "market-data",
  epoch: "e",
  seq: 1,
  sentAt: 0,
  storeId: "store",
};

async function runnerEvidence(runner: Runner, rows: readonly StoredCandle[]): Promise<RunnerEvidence> {
  using folder = tempFolder();
  const strategy = folder.join(`${runner}.ts`);
  writeFileSync(strategy, strategyText(runner));
  const cursors = SYMBOLS.map((symbol) => ({ symbol, commit_seq: rows.length }));
  const none = { anchors: [], intents: [], fills: [], states: [] };
  const found: JournalContents = { storeId: "store", startSeq: START_SEQ, throughSeq: rows.length, cursors, ...none };
  const run = await undisturbedRun({ runner, strategy, symbols: SYMBOLS, rows, found });
  const sums = new Map<string, number>();
  for (const fill of run.fills) {
    const signed = Math.round(Number(fill.quantity) * 1000) * (fill.side === "buy" ? 1 : -1);
    sums.set(String(fill.symbol), (sums.get(String(fill.symbol)) ?? 0) + signed);
  }
  const positions = new Map([...sums].map(([symbol, thousandths]) => [symbol, `${thousandths / 1000}`]));
  const { startSeq, anchors } = structuredClone(run);
  return { runner, found: run, undisturbed: structuredClone(run), positions, begun: { startSeq, anchors } };
}

/** A runner that bought 0.02 twice at the exchange, had one order refused and one that nobody took. */
function liveEvidence(rows: readonly StoredCandle[]): { live: RunnerEvidence; venue: Evidence["venue"] } {
  const ends = ["filled", "filled", "rejected", "expired"];
  const intents = ends.map((status, at) => ({
    client_order_id: `live-${at}`,
    symbol: "BTCUSDT",
    open_time: START + (40 + at) * 60_000,
    ordinal: 0,
    side: "buy",
    quantity: "0.02",
    status,
  }));
  const fills = intents.slice(0, 2).map(({ client_order_id }, at) => {
    return { fill_id: `fill-${at}`, client_order_id, side: "buy", quantity: "0.02" };
  });
  const lastOpenTime = rows.findLast(({ symbol }) => symbol === "BTCUSDT")?.openTime ?? 0;
  const cursor = { symbol: "BTCUSDT", delivered: 4, last_open_time: lastOpenTime, commit_seq: rows.length };
  const cursors = [{ ...cursor, digest: digestOf(rows, "BTCUSDT", 4, lastOpenTime) }];
  const facts = { storeId: "store", startSeq: START_SEQ, throughSeq: rows.length, anchors: [], states: [] };
  const found: JournalContents = { ...facts, cursors, intents, fills };
  const positions = new Map([["BTCUSDT", "0.04"]]);
  const orders = intents.slice(0, 3).map((intent, at) => {
    const { client_order_id, symbol } = intent;
    return { client_order_id, symbol, side: "BUY", executed: at < 2 ? "2000000" : "0" };
  });
  const venue = { orders, balances: new Map([["BTC", 4_000_000n]]) };
  const begun = { startSeq: START_SEQ, anchors: [] };
  return { live: { runner: LIVE_RUNNER, found, undisturbed: null, positions, begun }, venue };
}

function railOf(symbol: string, rows: readonly StoredCandle[]): RailState {
  const lastOpenTime = rows.findLast((row) => row.symbol === symbol)?.openTime ?? 0;
  const digest = digestOf(rows, symbol, 5, lastOpenTime) ?? "";
  return { symbol, rail: "FAST", reason: "", ageMs: 1, lastOpenTime, delivered: 5, digest };
}
