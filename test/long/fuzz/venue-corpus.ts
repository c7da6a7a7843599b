import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { RECORDINGS } from "../../support/fabric.ts";

const TRADE = /"e":"(trade|aggTrade)"/;
const MAX_FRAMES_PER_FILE = 400;
/** Files of trade streams as recorded; which of them hold anything of use is found out by reading. */
const FOLDERS = ["binance-spot-btcusdt", "binance-usdm-btcusdt", "ws-captures"];

export interface VenueFrames {
  readonly documented: readonly string[];
  readonly trades: readonly string[];
  readonly others: readonly string[];
  readonly recorded: number;
}

/** Frames of venues as they came over their sockets. Without recordings: only frames of the documented shapes. */
export function venueFrames(): VenueFrames {
  const top = RECORDINGS;
  const recorded = top === null ? [] : FOLDERS.flatMap((folder) => framesIn(join(top, folder)));
  const documented = documentedFrames();
  const frames = [...documented, ...recorded];
  return {
    documented,
    trades: frames.filter((frame) => TRADE.test(frame)),
    others: frames.filter((frame) => !TRADE.test(frame)),
    recorded: recorded.length,
  };
}

function framesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".gz"))
    .flatMap((name) => {
      const lines = gunzipSync(readFileSync(join(folder, name)))
        .toString("utf8")
        .split("\n");
      const frames = lines.map((line) => /^[\d.]+:? ([[{].*)$/.exec(line)?.[1]).filter((frame) => frame !== undefined);
      // Trades are what is read; among so much else they come first.
      const trades = frames.filter((frame) => TRADE.test(frame));
      return [...trades.slice(0, MAX_FRAMES_PER_FILE), ...frames.slice(0, MAX_FRAMES_PER_FILE / 4)];
    });
}

/** The shapes that Binance documents, with made-up figures. */
export function documentedFrames(): readonly string[] {
  const spot = { e: "trade", E: 1723161600123, s: "BTCUSDT", t: 3715483021, p: "61685.99000000", q: "0.00120000" };
  const usdm = {
    e: "trade",
    E: 1723161256322,
    T: 1723161256320,
    s: "BTCUSDT",
    t: 5266583935,
    p: "61800.30",
    q: "0.006",
  };
  const aggregate = { e: "aggTrade", E: 1723161600123, s: "BTCUSDT", a: 3001, p: "61686.00", q: "0.5", f: 100, l: 105 };
  const wrap = (stream: string, data: object) => JSON.stringify({ stream, data });
  return [
    wrap("btcusdt@trade", { ...spot, T: 1723161600120, m: true, M: true }),
    wrap("btcusdt@trade", { ...usdm, X: "MARKET", m: false }),
    wrap("btcusdt@trade", { ...usdm, X: "INSURANCE_FUND", m: false }),
    wrap("btcusdt@aggTrade", { ...aggregate, T: 1723161600120, m: false, M: true }),
    JSON.stringify({ ...spot, T: 1723161600120, m: false, M: true }),
    wrap("btcusdt@bookTicker", { u: 400900217, s: "BTCUSDT", b: "25.35", B: "31.21", a: "25.36", A: "40.66" }),
    wrap("btcusdt@depth@100ms", {
      e: "depthUpdate",
      E: 1723161601273,
      s: "BTCUSDT",
      U: 157,
      u: 160,
      b: [["0.1", "1"]],
      a: [],
    }),
    '{"result":null,"id":1}',
    '{"result":["btcusdt@trade"],"id":3}',
    '{"code":2,"msg":"Invalid request: invalid stream","id":9}',
    '{"error":{"code":0,"msg":"Unknown property"},"id":9}',
  ];
}
