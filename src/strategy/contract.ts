import type { GenericSchema, InferOutput, ObjectEntries } from "valibot";
import type { Candle } from "../core/candle.ts";
import type { Decision, Position } from "../core/decision.ts";
import type { Timeframe } from "../core/timeframe.ts";

/** Most decisions a strategy may take on one candle; more is a failure of the strategy. */
export const MAX_DECISIONS_PER_CANDLE = 8;

/** Most bars of warm-up a strategy may ask for. */
export const MAX_WARMUP_BARS = 10_000;

/** A valibot object schema, with a check over the whole object where wanted. Every field has a default. */
export type ParamsSchema = GenericSchema<unknown, object> & { readonly entries: ObjectEntries };

/** What `init` is told. State is made once per symbol. */
export interface InitContext<Params> {
  readonly symbol: string;
  readonly params: Params;
  readonly timeframe: Timeframe;
}

/** What a strategy sees: nothing else enters a decision, so that a replay decides the same. */
export interface CandleContext<Params, State> {
  readonly symbol: string;
  /** One closed candle of the strategy's timeframe. */
  readonly candle: Candle;
  /** The object `init` made for this symbol; the strategy changes it in place. */
  readonly state: State;
  /** Held as of this candle, its own fills included. Flat during warm-up. */
  readonly position: Position;
  /** The venue's clock as the candle closed, epoch ms: the end of the candle, the same in every replay. */
  readonly exchangeTimeMs: number;
  readonly params: Params;
  /** True while candles from before the anchor are fed: whatever is decided then is discarded. */
  readonly warmingUp: boolean;
}

/** Minutes of the symbol that the strategy is not given, both ends inclusive; told before the candle that follows them. */
export interface GapContext<Params, State> {
  readonly symbol: string;
  readonly state: State;
  readonly fromOpenTime: number;
  readonly toOpenTime: number;
  readonly params: Params;
}

/** What a strategy's file hands to `defineStrategy`. Every function is pure but for the symbol's own state. */
export interface StrategyDefinition<Schema extends ParamsSchema, State> {
  /** Letters, digits, dots, dashes, underscores; a runner takes it for its name unless told another. */
  readonly name: string;
  /** Change it with the logic: a runner's journal is bound to it, because old state does not continue under new rules. */
  readonly version: string;
  readonly params: Schema;
  /** Default 1m. */
  readonly timeframe?: Timeframe | ((params: InferOutput<Schema>) => Timeframe);
  /** Bars of the timeframe wanted before the first decision; 0 to 10,000. */
  warmup(params: InferOutput<Schema>): number;
  /** Whether partial candles and bars with missing minutes are given, too. Default false. */
  readonly includePartial?: boolean;
  init(context: InitContext<InferOutput<Schema>>): State;
  /** At most 8 decisions; undefined and [] mean none. A throw marks the strategy failed: no further orders. */
  onCandle(context: CandleContext<InferOutput<Schema>, State>): readonly Decision[] | undefined;
  onGap?(context: GapContext<InferOutput<Schema>, State>): void;
  /**
   * What the strategy saw on the bar it was just given, by name, for charts: at most 8 values, null where one is not known yet. Asked
   * after each bar, warm-up included. It must not change the state; what it gives or throws never enters a decision.
   */
  indicators?(state: State): Readonly<Record<string, number | null>>;
  /**
   * Where both are given, the state is saved as JSON with every candle (at most 1 MiB a symbol), and a restart continues from
   * it instead of folding all candles since the anchor again. `restore` must give back exactly what `save` was shown.
   */
  save?(state: State): unknown;
  restore?(saved: unknown, context: InitContext<InferOutput<Schema>>): State;
}

const BRAND = Symbol.for("fabric.strategy");

/** A strategy whose own types are closed over: what the host runs. Made by `defineStrategy` alone. */
export interface Strategy extends StrategyDefinition<ParamsSchema, unknown> {
  readonly [BRAND]: true;
}

/** Makes a strategy; export the result as the file's default. What is wrong with it is told when it is loaded. */
export function defineStrategy<const Schema extends ParamsSchema, State>(
  definition: StrategyDefinition<Schema, State>,
): Strategy {
  // The host only ever pairs a strategy's functions with the params and state of that same strategy.
  return { ...(definition as unknown as StrategyDefinition<ParamsSchema, unknown>), [BRAND]: true };
}

/** Whether `defineStrategy` made it. */
export function isStrategy(value: unknown): value is Strategy {
  return typeof value === "object" && value !== null && BRAND in value;
}
