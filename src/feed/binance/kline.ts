import { type Candle, candleFault } from "../../core/candle.ts";
import { MINUTE_MS } from "../../core/time.ts";

/**
 * One row of /api/v3/klines (Binance's REST documentation: open time, open, high, low, close, volume, close time, quote
 * volume, trades, taker buy base, taker buy quote, unused) as a candle, or what is wrong with it.
 */
export function parseKline(symbol: string, row: unknown): Candle | string {
  if (!Array.isArray(row) || row.length < 11) return "a kline is not a list of 11 or more";
  const [openTime, open, high, low, close, volume, closeTime, quoteVolume, trades, takerBase, takerQuote] = row;
  if (closeTime !== Number(openTime) + MINUTE_MS - 1) return "a kline is not one minute long";
  const candle: Candle = {
    symbol,
    openTime: Number(openTime),
    open: decimal(open),
    high: decimal(high),
    low: decimal(low),
    close: decimal(close),
    volume: decimal(volume),
    quoteVolume: decimal(quoteVolume),
    trades: Number(trades),
    takerBuyVolume: decimal(takerBase),
    takerBuyQuoteVolume: decimal(takerQuote),
    firstTradeId: null,
    lastTradeId: null,
    provenance: "backfilled",
  };
  return candleFault(candle) ?? candle;
}

/** NaN where it is no plain decimal: the candle's own check then finds it. */
function decimal(value: unknown): number {
  return typeof value === "string" && /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
}
