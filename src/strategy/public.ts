/**
 * What `import … from "fabric"` offers to a strategy's file, besides the scanner's `defineRule`: the contract, every indicator
 * of trading-signals, and valibot as `v` for the parameters.
 */
export * from "trading-signals";
export * as v from "valibot";
export type { Candle, Provenance } from "../core/candle.ts";
export type { Decision, Position, Side } from "../core/decision.ts";
export type { Timeframe } from "../core/timeframe.ts";
export type {
  CandleContext,
  GapContext,
  InitContext,
  ParamsSchema,
  Strategy,
  StrategyDefinition,
} from "./contract.ts";
export { defineStrategy } from "./contract.ts";
