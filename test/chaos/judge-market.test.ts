import { expect, test } from "bun:test";
import type { StoredCandle } from "../../src/core/candle.ts";
import { extendDigest } from "../../src/core/digest.ts";
import { digestOf, judgeMarket } from "../../src/role/chaos/judge-market.ts";
import { broken, type Case, first, judge, sound, testCases, withRow, withTable, withVerify } from "./judging.ts";
import { START } from "./sound-evidence.ts";

const LATE = 70;
const lastMinute = START + 59 * 60_000;

test("Evidence of a run in which nothing went wrong holds in all twenty-two invariants, whose ids are stable", () => {
  expect(broken(sound)).toEqual([]);
  expect(judge(sound).map(({ id }) => id)).toEqual([
    "candles",
    "gaps",
    "commit-seq",
    "store",
    "wire-durable",
    "segments-durable",
    "digests",
    "orders-once",
    "fills-once",
    "decisions",
    "positions",
    "venue-orders",
    "venue-holdings",
    "hurt",
    "one-writer",
    "one-node",
    "no-own-death",
    "healed",
    "caught-up",
    "bridge-inert",
    "orderly-stop",
    "nothing-left",
  ]);
  expect(judge(sound).every(({ detail }) => detail.length > 10)).toBe(true);
});

const CASES: readonly Case[] = [
  ["a candle with another close", withRow(LATE, { close: 1 }), ["candles"], /\(complete\): close differ/],
  [
    "a candle with another taker volume",
    withRow(LATE, { takerBuyQuoteVolume: 1 }),
    ["candles"],
    /takerBuyQuoteVolume differ/,
  ],
  [
    "a minute invented after the last",
    withRow(119, { openTime: lastMinute + 60_000 }),
    ["candles"],
    /is no minute of the exchange/,
  ],
  ["no candle at all", { ...sound, rows: [] }, ["candles", "gaps", "wire-durable"], /no candle was stored/],
  [
    "a minute stored twice",
    withRow(LATE, { openTime: sound.rows[LATE - 2]?.openTime ?? 0 }),
    ["candles"],
    /is stored twice/,
  ],
  ["a minute missing without a gap", withRow(LATE, null), ["gaps", "commit-seq"], /is missing and no gap/],
  ["a symbol without candles", { ...sound, symbols: [...sound.symbols, "SOLUSDT"] }, ["gaps"], /SOLUSDT has no candle/],
  ["a number left out", withRow(LATE, { commitSeq: 500 }), ["commit-seq"], /has commitSeq 500/],
  ["a link to nowhere", withRow(LATE, { prevOpenTime: null }), ["commit-seq"], /follows null/],
  [
    "a store at fault",
    withVerify({ ok: false, checks: [{ id: "keys", ok: false, detail: "twice" }] }),
    ["store"],
    /keys: twice/,
  ],
  ["a store that cannot be opened", { ...sound, verify: { problem: "exit 69" } }, ["store"], /exit 69/],
  ["fewer rows published than stored", withVerify({ rows: 121 }), ["store"], /holds 121 candles/],
  [
    "a candle on the wire that was never stored",
    { ...sound, wire: sound.wire.map((body, at) => (at === 3 ? { ...body, commitSeq: 4000 } : body)) },
    ["wire-durable"],
    /row 4000 .* is not stored/,
  ],
  [
    "a candle on the wire with another price",
    { ...sound, wire: sound.wire.map((body, at) => (at === 3 ? { ...body, high: 1e9 } : body)) },
    ["wire-durable"],
    /high differ/,
  ],
  [
    "a subscriber that heard a single one of the play's candles",
    { ...sound, wire: sound.wire.slice(0, 1) },
    ["wire-durable"],
    /but 1 of the play's 40/,
  ],
  ["candles that were heard and not compared", { ...sound, forgotten: 3 }, ["wire-durable"], /3 candles were heard/],
  [
    "segments of which a part was never read",
    { ...sound, segments: sound.segments.slice(1) },
    ["segments-durable"],
    /119 of 120 rows read/,
  ],
  [
    "a row that the segments gave twice",
    { ...sound, segments: [...sound.segments, ...sound.segments.slice(0, 1)] },
    ["segments-durable"],
    /1 rows were given twice/,
  ],
  [
    "segments that cannot be read at the end",
    { ...sound, segmentReads: { reads: 9, failures: 1, atLast: "its checksum" } },
    ["segments-durable"],
    /last read failed: its checksum/,
  ],
  [
    "segments that could hardly ever be read",
    { ...sound, segmentReads: { reads: 100, failures: 99, atLast: null } },
    ["segments-durable"],
    /99 of 100 reads failed/,
  ],
  ["a store of which nothing was checked", withVerify({ checks: [] }), ["store"], /segments was not checked/],
  [
    "a piece of evidence that could not be had, though all else holds",
    { ...sound, problems: [{ ids: ["candles", "gaps"], what: "the published store: torn" }] },
    ["candles", "gaps"],
    /the published store: torn/,
  ],
  ["a deaf subscriber", { ...sound, wire: [] }, ["wire-durable"], /no candles heard/],
  [
    "a segment's row that the store does not have",
    { ...sound, segments: [...sound.segments, { ...(sound.rows[0] as StoredCandle), commitSeq: 121 }] },
    ["segments-durable"],
    /row 121/,
  ],
  [
    "another digest in a journal",
    withTable("cursors", (rows) => first(rows, { digest: "f".repeat(32) }), true),
    ["digests"],
    /busy BTCUSDT: f+ after 20/,
  ],
  [
    "another digest told by the scanner",
    {
      ...sound,
      rails: sound.rails.map((told) => ({ ...told, rails: told.rails.map((rail) => ({ ...rail, digest: "0" })) })),
    },
    ["digests"],
    /scanner told/,
  ],
  [
    "one more candle delivered than the digest tells",
    withTable("cursors", (rows) => first(rows, { delivered: 21 }), true),
    ["digests"],
    /after 21/,
  ],
];

testCases(CASES);

test("A missing minute that a gap records is no fault where the exchange was away for it, and one where it was not", () => {
  const rows = sound.rows
    .slice(0, -4)
    .concat(sound.rows.slice(-2))
    .map((row, at) => ({ ...row, commitSeq: at + 1 }));
  const gaps = sound.symbols.map((symbol) => {
    return { symbol, fromOpenTime: lastMinute - 60_000, toOpenTime: lastMinute - 60_000, reason: "test" };
  });
  const outages = { longestMs: 10_500, beyondPatienceMs: 10_500 };
  const away = { ...sound, rows, gaps, outages };
  expect(judgeMarket(away).find(({ id }) => id === "gaps")).toEqual({
    id: "gaps",
    ok: true,
    detail: "2 missing minutes, all recorded",
  });
  const whole = judgeMarket({ ...sound, rows, gaps }).find(({ id }) => id === "gaps");
  expect(whole?.detail).toMatch(/2 minutes are recorded as gaps, and the exchange was away long enough for 0/);
  const far = gaps.map((gap) => ({ ...gap, fromOpenTime: gap.toOpenTime - 30 * 60_000 }));
  expect(judgeMarket({ ...away, gaps: far }).find(({ id }) => id === "gaps")?.detail).toMatch(/62 minutes .* for 42/);
});

test("A verdict names five faults and counts the rest", () => {
  const rows = sound.rows.map((row) => ({ ...row, close: 1 }));
  const verdict = judgeMarket({ ...sound, rows }).find(({ id }) => id === "candles");
  expect(verdict?.detail.split(";").length).toBe(5);
  expect(verdict?.detail).toMatch(/\(and 115 more\)$/);
});

test("The judges' digest, written apart from the product's, is the same function", () => {
  let digest = "0".repeat(32);
  const own = sound.rows.filter((row) => row.symbol === "ETHUSDT");
  for (const [at, row] of own.entries()) {
    digest = extendDigest(digest, row);
    expect(digestOf(sound.rows, "ETHUSDT", at + 1, row.openTime)).toBe(digest);
  }
  expect(digestOf(sound.rows, "ETHUSDT", 99, lastMinute)).toBeNull();
});
