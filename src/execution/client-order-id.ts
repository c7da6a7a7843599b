import { createHash } from "node:crypto";
import type { ExecutionMode } from "../core/decision.ts";
import type { Timeframe } from "../core/timeframe.ts";

export interface OrderIdentity {
  readonly storeId: string;
  readonly mode: ExecutionMode;
  readonly runner: string;
  readonly symbol: string;
  readonly timeframe: Timeframe;
  /** openTime of the bar the decision was made on. */
  readonly openTime: number;
  /** The decision's place among those of its bar, from 0. */
  readonly ordinal: number;
}

/**
 * The id of an order, the same whenever and wherever it is computed: "f" and 31 hex digits (124 bits) of a SHA-256 over the
 * identity. 32 letters and digits, a letter first: within every venue's rule (Binance takes 36, OKX 32 and a letter first).
 */
export function clientOrderId(identity: OrderIdentity): string {
  const { storeId, mode, runner, symbol, timeframe, openTime, ordinal } = identity;
  const text = JSON.stringify([storeId, mode, runner, symbol, timeframe, openTime, ordinal]);
  return `f${createHash("sha256").update(text).digest("hex").slice(0, 31)}`;
}
