import type { Candle } from "../core/candle.ts";
import type { DeliveryEvent } from "../core/delivery.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { MAX_SYMBOLS } from "../core/symbol.ts";
import { MINUTE_MS } from "../core/time.ts";
import type { ScanRow } from "../core/wire.ts";
import type { ScanResult, ScanRule } from "./contract.ts";

export interface ScanOptions {
  /** Rows kept per rule, the best first (default 20, at most 500). */
  readonly rowsPerRule?: number;
  /** A row leaves the ranking once the newest candle of all symbols is this many minutes ahead of it (default 5). */
  readonly staleAfterMinutes?: number;
}

export interface ScanCounters {
  readonly candles: number;
  /** Symbols whose windows were started anew because minutes were missing. */
  readonly resets: number;
  /** Candles not above their symbol's last one, left out. */
  readonly repeated: number;
  /** Candles of symbols past the bound of 5,000, left out. */
  readonly overflow: number;
}

interface SymbolSlot {
  lastOpenTime: number;
  /** Per rule, in the order of the rules. */
  readonly rules: { state: unknown; result: ScanResult | null }[];
}

const MAX_NOTE_LENGTH = 200;

/**
 * Runs rules over all symbols (at most 5,000; more are counted and left out) and ranks what they say. The rows depend only on
 * the candles of each symbol in their order, not on how symbols interleave. It knows no broker and no journal.
 */
export class ScanEngine {
  readonly #rules: readonly ScanRule[];
  readonly #rowsPerRule: number;
  readonly #staleAfterMs: number;
  readonly #symbols = new Map<string, SymbolSlot>();
  readonly #failures = new Map<string, string>();
  #newestOpenTime = 0;
  readonly #counters = { candles: 0, resets: 0, repeated: 0, overflow: 0 };

  /** Throws FabricError "usage" where two rules share a name or a bound is out of range. */
  constructor(rules: readonly ScanRule[], options: ScanOptions = {}) {
    const names = rules.map((rule) => rule.name);
    const repeated = names.find((name, index) => names.indexOf(name) !== index);
    if (repeated !== undefined) throw new FabricError("usage", `Scanner rule ${repeated} is named twice`);
    this.#rules = rules;
    this.#rowsPerRule = bounded(options.rowsPerRule ?? 20, 500, "rowsPerRule");
    this.#staleAfterMs = bounded(options.staleAfterMinutes ?? 5, 10_080, "staleAfterMinutes") * MINUTE_MS;
  }

  /** Also takes history as warm-up: oldest first, before the first live event of its symbol. Does not throw. */
  onEvent(event: DeliveryEvent): void {
    if (event.type === "candle") this.#onCandle(event.candle);
  }

  /** Ranked rows, rule by rule in the rules' order, best score first, ties by symbol. At most rowsPerRule a rule. */
  rows(): readonly ScanRow[] {
    return this.#rules.flatMap((rule, index) => this.#rowsOf(rule, index));
  }

  /** Rules that threw, with what they threw: they rank nothing any more. */
  get failures(): ReadonlyMap<string, string> {
    return this.#failures;
  }

  counters(): ScanCounters {
    return { ...this.#counters };
  }

  #onCandle(candle: Candle): void {
    const slot = this.#slotFor(candle);
    if (!slot) return;
    slot.lastOpenTime = candle.openTime;
    this.#newestOpenTime = Math.max(this.#newestOpenTime, candle.openTime);
    this.#counters.candles++;
    for (const [index, rule] of this.#rules.entries()) {
      const own = slot.rules[index];
      if (own) own.result = this.#guarded(rule, () => checkedResult(rule.onCandle(own.state, candle)));
    }
  }

  /** The symbol's slot, fresh where it is new or minutes are missing; null where the candle is left out. */
  #slotFor(candle: Candle): SymbolSlot | null {
    const found = this.#symbols.get(candle.symbol);
    if (found && candle.openTime <= found.lastOpenTime) {
      this.#counters.repeated++;
      return null;
    }
    if (found && candle.openTime === found.lastOpenTime + MINUTE_MS) return found;
    if (!found && this.#symbols.size >= MAX_SYMBOLS) {
      this.#counters.overflow++;
      return null;
    }
    if (found) this.#counters.resets++;
    const rules = this.#rules.map((rule) => ({
      state: this.#guarded(rule, () => rule.init(candle.symbol)),
      result: null,
    }));
    const fresh: SymbolSlot = { lastOpenTime: candle.openTime, rules };
    this.#symbols.set(candle.symbol, fresh);
    return fresh;
  }

  #rowsOf(rule: ScanRule, index: number): readonly ScanRow[] {
    if (this.#failures.has(rule.name)) return [];
    const found: Omit<ScanRow, "rank">[] = [];
    for (const [symbol, slot] of this.#symbols) {
      const result = slot.rules[index]?.result;
      if (!result || slot.lastOpenTime < this.#newestOpenTime - this.#staleAfterMs) continue;
      found.push({ rule: rule.name, symbol, score: result.score, openTime: slot.lastOpenTime, note: result.note });
    }
    found.sort((a, b) => b.score - a.score || (a.symbol < b.symbol ? -1 : 1));
    return found.slice(0, this.#rowsPerRule).map((row, at) => ({ ...row, rank: at + 1 }));
  }

  #guarded<T>(rule: ScanRule, run: () => T): T | null {
    if (this.#failures.has(rule.name)) return null;
    try {
      return run();
    } catch (error) {
      this.#failures.set(rule.name, messageOf(error));
      return null;
    }
  }
}

function checkedResult(result: unknown): ScanResult | null {
  if (result === null || result === undefined) return null;
  const { score, note } = result as { readonly score?: unknown; readonly note?: unknown };
  if (typeof score !== "number" || !Number.isFinite(score)) throw new Error("its score is not a finite number");
  if (typeof note !== "string") throw new Error("its note is not text");
  return { score, note: note.slice(0, MAX_NOTE_LENGTH) };
}

function bounded(value: number, most: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > most)
    throw new FabricError("usage", `Bad ${what}: expected 1 to ${most}, found ${value}`);
  return value;
}
