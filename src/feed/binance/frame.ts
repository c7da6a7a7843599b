import type { Trade } from "../contract.ts";

export type BinanceMarket = "binance-spot" | "binance-usdm";

/** What one WebSocket text message of Binance is, as far as candles are concerned. */
export type Frame =
  | {
      readonly type: "trade";
      readonly trade: Trade;
      readonly eventTimeMs: number;
      readonly market: BinanceMarket;
      /** aggTrade rather than trade. */
      readonly aggregate: boolean;
    }
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

/** Trade times outside 2009 to 2096 are a fault, not a market. */
export const EARLIEST_MS = 1_230_768_000_000;
export const LATEST_MS = 4_000_000_000_000;

export function isPlausible(timeMs: number): boolean {
  return timeMs >= EARLIEST_MS && timeMs <= LATEST_MS;
}
