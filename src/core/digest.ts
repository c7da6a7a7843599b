import { createHash } from "node:crypto";
import type { Candle } from "./candle.ts";

/** The digest before anything was delivered. */
export const EMPTY_DIGEST = "0".repeat(32);

/**
 * The running digest of what a consumer was given for one symbol: each candle folded onto the digest before it (SHA-256,
 * first 128 bits, hex). It covers the market's content (times, prices, volumes, counts), not how we came by it
 * (provenance, ids, commitSeq), so that a run with crashes and backfill compares equal to one without.
 */
export function extendDigest(digest: string, candle: Candle): string {
  const content = [
    digest,
    candle.symbol,
    candle.openTime,
    candle.open,
    candle.high,
    candle.low,
    candle.close,
    candle.volume,
    candle.quoteVolume,
    candle.trades,
    candle.takerBuyVolume,
    candle.takerBuyQuoteVolume,
  ].join("|");
  return createHash("sha256").update(content).digest("hex").slice(0, 32);
}
