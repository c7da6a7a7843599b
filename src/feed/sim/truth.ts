import { FabricError } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { EARLIEST_MS, isPlausible, LATEST_MS } from "../binance/frame.ts";
import { ExactCandle, type TruthRow } from "./exact-candle.ts";
import { SimMarket } from "./sim-market.ts";
import type { SimSymbol } from "./sim-symbol.ts";

export interface SimMarketOptions {
  /** 0 to 2^53 - 1. */
  readonly seed: number;
  readonly symbols: readonly string[];
  /** Exchange time at which the market starts, epoch ms, a whole minute of 2009 to 2096: what the adapter believes. */
  readonly startMs: number;
}

export interface SimTruthOptions extends SimMarketOptions {
  /** How many minutes from the start, 0 or more. */
  readonly minutes: number;
}

/** What `--start` is unless given: 2025-01-01T00:00Z. */
export const DEFAULT_START_MS = Date.UTC(2025, 0, 1);

/**
 * The oracle: the candles of a simulated market from its start, minute by minute, the symbols in the order given. Quiet
 * minutes are flat rows. Computed as they are asked for. Throws FabricError "usage" at once for options out of range.
 */
export function simTruth(options: SimTruthOptions): Iterable<TruthRow> {
  checkMarketOptions(options);
  if (!Number.isSafeInteger(options.minutes) || options.minutes < 0)
    throw new FabricError(
      "usage",
      `Cannot list the market: --minutes must be a whole number, found ${options.minutes}`,
    );
  return truthRows(options);
}

function* truthRows(options: SimTruthOptions): Generator<TruthRow> {
  const market = new SimMarket(options.seed, options.symbols);
  for (let minute = 0; minute < options.minutes; minute++)
    for (const symbol of market.symbols)
      yield marketCandle(market, symbol, options.startMs + minute * MINUTE_MS).truth();
}

/** A minute of the market added up exactly, of its trades up to and including `throughMs`. */
export function marketCandle(
  market: SimMarket,
  symbol: SimSymbol,
  openTime: number,
  throughMs = Number.POSITIVE_INFINITY,
): ExactCandle {
  const scale = { priceDecimals: symbol.tickDecimals, quantityDecimals: symbol.lotDecimals };
  const minute = market.minute(symbol, openTime);
  const quiet = minute.count === 0 || openTime + (minute.offsets[0] ?? 0) > throughMs;
  const previous = quiet ? BigInt(market.closeTicksBefore(symbol, openTime)) : 0n;
  const candle = new ExactCandle(symbol.name, openTime, scale, previous);
  for (let at = 0; at < minute.count && openTime + (minute.offsets[at] ?? 0) <= throughMs; at++) {
    const id = minute.firstId + at;
    candle.add({
      firstId: id,
      lastId: id,
      count: 1,
      price: BigInt(minute.ticks[at] ?? 0),
      quantity: BigInt(minute.lots[at] ?? 0),
      buyerIsMaker: minute.sells[at] === 1,
    });
  }
  return candle;
}

/** Throws FabricError "usage" that names what is out of range. */
export function checkMarketOptions(options: SimMarketOptions): void {
  if (!Number.isSafeInteger(options.seed) || options.seed < 0)
    throw new FabricError("usage", `Cannot make the market: the seed must be a whole number, found ${options.seed}`);
  if (!Number.isSafeInteger(options.startMs) || !isPlausible(options.startMs) || options.startMs % MINUTE_MS !== 0) {
    const [earliest, latest] = [EARLIEST_MS, LATEST_MS].map((timeMs) => new Date(timeMs).toISOString().slice(0, 16));
    throw new FabricError(
      "usage",
      `Cannot make the market: the start must be a whole minute from ${earliest}Z to ${latest}Z`,
    );
  }
  if (options.symbols.length === 0)
    throw new FabricError("usage", "Cannot make the market: at least one symbol is needed, found none");
}
