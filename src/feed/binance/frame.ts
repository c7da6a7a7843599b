import type { Trade } from "../contract.ts";
import type { TradesFrame } from "../venues/contract.ts";

export type BinanceMarket = "binance-spot" | "binance-usdm";

/** One trade, in the shape that frames of all venues have, so that nothing is made anew on the way. */
export interface TradeFrame extends TradesFrame {
  readonly venue: BinanceMarket;
  readonly trades: readonly [Trade];
}

/** What one WebSocket text message of Binance is, as far as candles are concerned. */
export type Frame =
  | TradeFrame
  /** A row of the trade stream that is no market trade, or has no price or quantity. */
  | {
      readonly type: "omitted";
      readonly symbol: string;
      readonly firstId: number;
      readonly lastId: number;
      readonly timeMs: number;
      readonly market: BinanceMarket;
      readonly aggregate: boolean;
    }
  /** The answer to a request of ours; `error` is the venue's text where it refused. */
  | { readonly type: "reply"; readonly id: number | null; readonly result: unknown; readonly error: string | null }
  | { readonly type: "other"; readonly eventTimeMs: number | null }
  /** Perhaps a trade, of `symbol` where the message names it. */
  | { readonly type: "malformed"; readonly reason: string; readonly symbol: string | null };

const NONE: readonly never[] = [];

export function tradeFrame(trade: Trade, venue: BinanceMarket): TradeFrame {
  const stream = trade.lastId === undefined ? "trade" : "aggTrade";
  return { type: "trades", venue, stream, trades: [trade], history: NONE, omitted: NONE };
}

/** Trade times outside 2009 to 2096 are a fault, not a market. */
export const EARLIEST_MS = 1_230_768_000_000;
export const LATEST_MS = 4_000_000_000_000;

export function isPlausible(timeMs: number): boolean {
  return timeMs >= EARLIEST_MS && timeMs <= LATEST_MS;
}
