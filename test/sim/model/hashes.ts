import { createHash } from "node:crypto";
import type { ModelRow } from "./row.ts";

export const NO_DIGEST = "00000000000000000000000000000000";

/** The running digest by its documented content string: SHA-256, first 128 bits, hex. */
export function digestAfter(digest: string, row: ModelRow): string {
  const content = `${digest}|${row.symbol}|${row.openTime}|${row.open}|${row.high}|${row.low}|${row.close}|${row.volume}|${row.quoteVolume}|${row.trades}|${row.takerBuyVolume}|${row.takerBuyQuoteVolume}`;
  return createHash("sha256").update(content).digest("hex").slice(0, 32);
}

/** The id of an order by design.md's words: a hash of who decided it and on what. */
export function orderIdOf(identity: readonly (string | number)[]): string {
  return `f${createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 31)}`;
}
