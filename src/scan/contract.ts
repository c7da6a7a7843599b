import type { Candle } from "../core/candle.ts";

/** What a rule says of one symbol now. Higher scores rank first; the sign is the rule's own business. */
export interface ScanResult {
  readonly score: number;
  /** For people, at most 200 characters are kept. */
  readonly note: string;
}

/** What a rule's file hands to `defineRule`. Pure but for the symbol's own state, whose size is the rule's to bound. */
export interface ScanRuleDefinition<State> {
  /** Letters, digits, dots, dashes, underscores. */
  readonly name: string;
  /** A symbol's fresh state: made for its first candle, and again for the first one after missing minutes. */
  init(symbol: string): State;
  /** Null where the symbol has no place in the ranking now. A throw takes the rule out of the scan, the others go on. */
  onCandle(state: State, candle: Candle): ScanResult | null;
}

const BRAND = Symbol.for("fabric.scan-rule");

/** A rule whose own types are closed over. Made by `defineRule` alone. */
export interface ScanRule extends ScanRuleDefinition<unknown> {
  readonly [BRAND]: true;
}

/** Makes a rule; export the result as the file's default. */
export function defineRule<State>(definition: ScanRuleDefinition<State>): ScanRule {
  // The engine only ever shows a rule the state that the same rule made.
  return { ...(definition as unknown as ScanRuleDefinition<unknown>), [BRAND]: true };
}

/** Whether `defineRule` made it. */
export function isScanRule(value: unknown): value is ScanRule {
  return typeof value === "object" && value !== null && BRAND in value;
}
