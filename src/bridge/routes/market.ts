import * as v from "valibot";
import type { Bar } from "../../core/bars.ts";
import type { Log } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import { type Timeframe, timeframeMs } from "../../core/timeframe.ts";
import { countParam, limitParam, symbolParam, timeframeParam, timeParam } from "../api-params.ts";
import { ApiError, type ApiRoute, defineRoute } from "../api-route.ts";
import { CANDLES, GAPS, MOST } from "../api-schemas.ts";
import type { CandleDesk } from "../candle-desk.ts";
import type { TelemetryView } from "../contract.ts";

export interface MarketDeps {
  readonly telemetry: TelemetryView;
  readonly desk: CandleDesk;
  readonly log: Log;
}

const NOT_NOW = "the store cannot be read now, or is not there yet; ask again after Retry-After";
const DEFAULT_CANDLES = 500;

/** What the store holds, out of its published segments. */
export function marketRoutes({ telemetry, desk, log }: MarketDeps): readonly ApiRoute[] {
  return [
    defineRoute({
      path: "/api/candles",
      tag: "market",
      summary: "Stored candles of any timeframe (UTC, weeks from Monday), page by page from the newest back",
      query: {
        symbol: symbolParam,
        timeframe: v.optional(timeframeParam, "1m"),
        from: v.optional(timeParam("the least openTime, inclusive")),
        to: v.optional(timeParam("the greatest openTime, inclusive")),
        before: v.optional(timeParam("an earlier answer's older: only candles that open before it")),
        limit: limitParam(MOST.candles, DEFAULT_CANDLES),
      },
      answer: CANDLES,
      others: { 404: "the store has no candle of the symbol", 503: NOT_NOW },
      handle: async ({ symbol, timeframe, from, to, before, limit }) => {
        const query = { symbol, timeframe, from: from ?? null, to: to ?? null, before: before ?? null, limit };
        const page = await readStore(log, symbol, () => desk.bars(query));
        if (!page.isKnown) throw new ApiError(404, `The store has no candle of ${symbol}`);
        const { bridge, candles } = telemetry.snapshot();
        const heard = candles.find((candle) => candle.symbol === symbol);
        return {
          now: bridge.now,
          symbol,
          timeframe,
          heard: heard ? { ageMs: heard.ageMs, stale: heard.stale } : null,
          candles: page.bars.map((bar) => candleRow(bar, timeframe)),
          absent: absentBetween(page.bars, timeframe),
          older: page.older,
        };
      },
    }),
    defineRoute({
      path: "/api/gaps",
      tag: "market",
      summary: "Minutes that could not be had, as the store recorded them with the reason, newest first",
      query: {
        symbol: v.optional(symbolParam),
        limit: limitParam(MOST.gaps, 100),
        before: v.optional(countParam("an earlier answer's older: only gaps recorded before it")),
      },
      answer: GAPS,
      others: { 404: "the store has no candle of the symbol", 503: NOT_NOW },
      handle: async ({ symbol, limit, before }) => {
        const query = { symbol: symbol ?? null, before: before ?? null, limit };
        const gaps = await readStore(log, symbol ?? "all", () => desk.gaps(query));
        if (symbol !== undefined && gaps.length === 0) await checkStored(log, desk, symbol);
        const oldest = gaps.at(-1)?.gapSeq;
        const older = oldest !== undefined && gaps.length === limit && oldest > 1 ? oldest : null;
        return { now: telemetry.snapshot().bridge.now, gaps, older };
      },
    }),
  ];
}

async function checkStored(log: Log, desk: CandleDesk, symbol: string): Promise<void> {
  const query = { symbol, timeframe: "1m", from: null, to: null, before: null, limit: 1 } as const;
  const { isKnown } = await readStore(log, symbol, () => desk.bars(query));
  if (!isKnown) throw new ApiError(404, `The store has no candle of ${symbol}`);
}

/** Throws ApiError 503 where the store cannot be read now; the log has the reason. */
async function readStore<T>(log: Log, symbol: string, read: () => Promise<T | null>): Promise<T> {
  let found: T | null;
  try {
    found = await read();
  } catch (error) {
    log.warn("Candles could not be read", { symbol, error: messageOf(error) });
    const isBusy = error instanceof FabricError && error.code === "try-again";
    throw new ApiError(
      503,
      isBusy ? error.message : "The store cannot be read right now; the bridge's log says why",
      1,
    );
  }
  if (found === null) throw new ApiError(503, "There is no market store yet; market-data makes it when it starts", 1);
  return found;
}

/** Fields in a fixed order, whatever else the reader's row may hold. */
function candleRow(bar: Bar, timeframe: Timeframe) {
  return {
    openTime: bar.openTime,
    closeTime: bar.openTime + timeframeMs(timeframe) - 1,
    open: bar.open,
    high: bar.high,
    low: bar.low,
    close: bar.close,
    volume: bar.volume,
    quoteVolume: bar.quoteVolume,
    trades: bar.trades,
    takerBuyVolume: bar.takerBuyVolume,
    takerBuyQuoteVolume: bar.takerBuyQuoteVolume,
    firstTradeId: bar.firstTradeId,
    lastTradeId: bar.lastTradeId,
    provenance: bar.provenance,
    minutes: bar.minutes,
    missing: bar.missing,
    closed: bar.closed,
    commitSeq: bar.commitSeq,
  };
}

function absentBetween(bars: readonly Bar[], timeframe: Timeframe) {
  const length = timeframeMs(timeframe);
  return bars.flatMap(({ openTime }, i) => {
    const expected = (bars[i - 1]?.openTime ?? openTime - length) + length;
    return openTime > expected ? [{ fromOpenTime: expected, toOpenTime: openTime - length }] : [];
  });
}
