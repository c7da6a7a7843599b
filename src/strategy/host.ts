import type { Candle } from "../core/candle.ts";
import { type Decision, decisionFault, flatPosition, MAX_REASON_LENGTH, type Position } from "../core/decision.ts";
import { assert, messageOf } from "../core/errors.ts";
import { MAX_SYMBOLS } from "../core/symbol.ts";
import { MINUTE_MS, toRfc3339 } from "../core/time.ts";
import { bucketOf, type Timeframe, timeframeMs } from "../core/timeframe.ts";
import { MAX_DECISIONS_PER_CANDLE, type Strategy } from "./contract.ts";
import { IndicatorRecord } from "./indicator-record.ts";
import type { StrategySettings } from "./params.ts";
import { RollUp, type RollUpState } from "./rollup.ts";

/** Most characters of one symbol's saved state. */
export const MAX_SAVED_LENGTH = 1_048_576;

/** What a strategy decided on one bar. */
export interface BarDecisions {
  /** The bar's, in the strategy's timeframe. */
  readonly openTime: number;
  /** Exchange time at which the bar ended, epoch ms. */
  readonly closedAtMs: number;
  readonly decisions: readonly Decision[];
}

/** What one minute led to: at most two bars (one passed by, one whole), and the state where the strategy saves it. */
export interface HostOutcome {
  readonly bars: readonly BarDecisions[];
  readonly saved: string | null;
}

interface Slot {
  state: unknown;
  rollUp: RollUp;
  /** openTime of the newest minute the strategy was given a part of; null before the first. */
  lastOpenTime: number | null;
}

interface SavedSlot {
  readonly lastOpenTime: number | null;
  readonly rollUp: RollUpState | null;
  readonly state: unknown;
}

const NOTHING: HostOutcome = { bars: [], saved: null };

/**
 * Runs one strategy over many symbols (at most 5,000), each with its own state and roll-up. All of it is a pure function of
 * the candles and positions fed: gaps, too, are worked out here, from the minutes that are missing between candles. A throw
 * or a nonsensical decision marks the whole strategy failed: `failure` says why, and nothing is decided any more.
 */
export class StrategyHost {
  readonly timeframe: Timeframe;
  readonly includePartial: boolean;
  /** What the strategy saw, for charts; nothing of it is saved or decided on. */
  readonly indicators = new IndicatorRecord();
  readonly #strategy: Strategy;
  readonly #settings: StrategySettings;
  readonly #slots = new Map<string, Slot>();
  #failure: string | null = null;

  constructor(strategy: Strategy, settings: StrategySettings) {
    this.#strategy = strategy;
    this.#settings = settings;
    this.timeframe = settings.timeframe;
    this.includePartial = strategy.includePartial ?? false;
  }

  /** What a journal is bound to. */
  get identity(): { readonly strategy: string; readonly version: string; readonly params: string } {
    return { strategy: this.#strategy.name, version: this.#strategy.version, params: this.#settings.paramsText };
  }

  /** Why the strategy was marked failed; null while it is well. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Marks the strategy failed for something it did outside its calls, for example in a timer of its own. */
  fail(reason: string): void {
    this.#failure ??= `Strategy ${this.#strategy.name} failed: ${reason}`;
  }

  /** openTime of the first minute of history to `warm` with, where deciding starts at `anchorOpenTime`. */
  warmupFrom(anchorOpenTime: number): number {
    return bucketOf(anchorOpenTime, this.timeframe) - this.#settings.warmupBars * timeframeMs(this.timeframe);
  }

  /** Feeds a minute from before the anchor: it moves the state, and decides nothing. */
  warm(candle: Candle): void {
    this.#feed(candle, flatPosition(candle.symbol), true);
  }

  /** Feeds a minute that was decided in an earlier life, with the position of then: it moves the state the same way. */
  refold(candle: Candle, position: Position): void {
    this.#feed(candle, position, false);
  }

  /** Feeds a new minute. No bars after a failure; never throws for what the strategy does. */
  decide(candle: Candle, position: Position): HostOutcome {
    const bars = this.#feed(candle, position, false);
    if (this.#failure !== null) return NOTHING;
    const saved = this.#guarded(candle.symbol, () => this.#save(candle.symbol));
    return this.#failure === null ? { bars, saved: saved ?? null } : NOTHING;
  }

  /** Takes up what an earlier `decide` gave as `saved`. False, and nothing changed, where the strategy cannot. */
  restore(symbol: string, saved: string): boolean {
    if (!this.#strategy.restore) return false;
    try {
      const slot = JSON.parse(saved) as SavedSlot;
      this.#slots.set(symbol, {
        state: this.#strategy.restore(slot.state, this.#initContext(symbol)),
        rollUp: new RollUp(this.timeframe, slot.rollUp),
        lastOpenTime: slot.lastOpenTime,
      });
      return true;
    } catch {
      return false;
    }
  }

  #feed(candle: Candle, position: Position, warmingUp: boolean): readonly BarDecisions[] {
    if (this.#failure !== null) return [];
    if (candle.provenance === "partial" && !this.includePartial) return [];
    return this.#guarded(candle.symbol, () => this.#step(candle, position, warmingUp)) ?? [];
  }

  #step(candle: Candle, position: Position, warmingUp: boolean): readonly BarDecisions[] {
    const slot = this.#slotOf(candle.symbol);
    const last = slot.lastOpenTime;
    assert(last === null || candle.openTime > last, `${candle.symbol}: candles reach the strategy in order`);
    const bars: BarDecisions[] = [];
    const passed = slot.rollUp.closeBefore(candle.openTime);
    if (passed) this.#decideBar(passed, slot, position, warmingUp, bars);
    if (last !== null && candle.openTime > last + MINUTE_MS) this.#tellGap(slot, candle, last);
    slot.lastOpenTime = candle.openTime;
    const whole = slot.rollUp.add(candle);
    if (whole) this.#decideBar(whole, slot, position, warmingUp, bars);
    return bars;
  }

  #decideBar(bar: Candle, slot: Slot, position: Position, warmingUp: boolean, bars: BarDecisions[]): void {
    if (bar.provenance === "partial" && !this.includePartial) return;
    const closedAtMs = bar.openTime + timeframeMs(this.timeframe);
    const returned: unknown = this.#strategy.onCandle({
      symbol: bar.symbol,
      candle: bar,
      state: slot.state,
      position,
      exchangeTimeMs: closedAtMs,
      params: this.#settings.params,
      warmingUp,
    });
    const decisions = checkedDecisions(returned, bar);
    if (decisions.length > 0) bars.push({ openTime: bar.openTime, closedAtMs, decisions });
    if (this.#strategy.indicators)
      this.indicators.note(bar, () => this.#strategy.indicators?.call(this.#strategy, slot.state));
  }

  #tellGap(slot: Slot, candle: Candle, lastOpenTime: number): void {
    this.#strategy.onGap?.({
      symbol: candle.symbol,
      state: slot.state,
      fromOpenTime: lastOpenTime + MINUTE_MS,
      toOpenTime: candle.openTime - MINUTE_MS,
      params: this.#settings.params,
    });
  }

  #slotOf(symbol: string): Slot {
    const found = this.#slots.get(symbol);
    if (found) return found;
    assert(this.#slots.size < MAX_SYMBOLS, `a strategy runs over at most ${MAX_SYMBOLS} symbols`);
    const slot: Slot = {
      state: this.#strategy.init(this.#initContext(symbol)),
      rollUp: new RollUp(this.timeframe),
      lastOpenTime: null,
    };
    this.#slots.set(symbol, slot);
    return slot;
  }

  #initContext(symbol: string): { symbol: string; params: object; timeframe: Timeframe } {
    return { symbol, params: this.#settings.params, timeframe: this.timeframe };
  }

  #save(symbol: string): string | null {
    const slot = this.#slots.get(symbol);
    if (!this.#strategy.save || !slot) return null;
    const saved: SavedSlot = {
      lastOpenTime: slot.lastOpenTime,
      rollUp: slot.rollUp.save(),
      state: this.#strategy.save(slot.state),
    };
    const text = JSON.stringify(saved);
    if (text.length > MAX_SAVED_LENGTH)
      throw new Error(`its saved state has ${text.length} characters, at most ${MAX_SAVED_LENGTH} are kept`);
    return text;
  }

  #guarded<T>(symbol: string, run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#failure = `Strategy ${this.#strategy.name} failed on ${symbol}: ${messageOf(error)}`;
      return undefined;
    }
  }
}

function checkedDecisions(returned: unknown, bar: Candle): readonly Decision[] {
  if (returned === undefined) return [];
  const at = `onCandle at ${toRfc3339(bar.openTime)} returned`;
  if (!Array.isArray(returned)) throw new Error(`${at} neither a list of decisions nor undefined`);
  if (returned.length > MAX_DECISIONS_PER_CANDLE)
    throw new Error(`${at} ${returned.length} decisions, at most ${MAX_DECISIONS_PER_CANDLE} are taken`);
  return returned.map((item: unknown) => {
    const fault = decisionFault(item);
    if (fault !== null) throw new Error(`${at} nonsense: ${fault}`);
    const { side, quantity, reason } = item as Decision;
    return reason === undefined ? { side, quantity } : { side, quantity, reason: reason.slice(0, MAX_REASON_LENGTH) };
  });
}
