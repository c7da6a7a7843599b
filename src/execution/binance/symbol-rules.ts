import type { Clock } from "../../core/env.ts";
import { messageOf } from "../../core/errors.ts";
import { decimal, decimalText } from "../decimal.ts";
import type { Precision } from "../instruments.ts";
import { decimalOf, type Row, rowOf, rowsOf, textOf, Unreadable } from "./fields.ts";
import { CODES, refusalText } from "./reply.ts";
import { reasonOf, type VenueRest } from "./venue-rest.ts";

/** What the venue asks of a market order's quantity; "0" switches a bound off. */
interface LotRule {
  readonly filter: "LOT_SIZE" | "MARKET_LOT_SIZE";
  readonly least: string;
  readonly most: string;
  readonly step: string;
}

/** What it asks of its value, at the average price that it takes for market orders. */
interface NotionalRule {
  readonly filter: "MIN_NOTIONAL" | "NOTIONAL";
  readonly least: string | null;
  readonly most: string | null;
}

export interface SymbolRules {
  readonly base: string;
  readonly quote: string;
  /** The least difference of prices; null where the venue tells none. Nothing is checked by it: orders are at the market. */
  readonly tick: string | null;
  readonly lots: readonly LotRule[];
  readonly notionals: readonly NotionalRule[];
}

/** `refused`: the venue does not have the symbol. `unknown`: it did not say. */
export type RulesAnswer =
  | { readonly type: "known"; readonly rules: SymbolRules }
  | { readonly type: "refused"; readonly reason: string }
  | { readonly type: "unknown"; readonly reason: string };

/** Rules are asked for again after this, wall ms; an average price after that. */
const RULES_KEPT_MS = 3_600_000;
const AVERAGE_KEPT_MS = 10_000;

/** The venue's rules for each symbol traded (GET /api/v3/exchangeInfo), asked for once an hour. Bounded by the symbols. */
export class SymbolRuleBook {
  readonly #rest: VenueRest;
  readonly #clock: Clock;
  readonly #rules = new Map<string, { readonly rules: SymbolRules; readonly atMs: number }>();
  readonly #averages = new Map<string, { readonly price: string; readonly atMs: number }>();

  readonly #asking = new Map<string, Promise<RulesAnswer>>();
  readonly #averaging = new Map<string, Promise<string | null>>();

  constructor(rest: VenueRest, clock: Clock) {
    this.#rest = rest;
    this.#clock = clock;
  }

  rulesOf(symbol: string): Promise<RulesAnswer> {
    const kept = this.#rules.get(symbol);
    if (kept && this.#clock.monotonicMs() - kept.atMs < RULES_KEPT_MS)
      return Promise.resolve({ type: "known", rules: kept.rules });
    return once(this.#asking, symbol, () => this.#askRules(symbol));
  }

  async #askRules(symbol: string): Promise<RulesAnswer> {
    const reply = await this.#rest.public("/api/v3/exchangeInfo", [["symbol", symbol]]);
    if (reply.type === "refused" && reply.code === CODES.badSymbol)
      return { type: "refused", reason: `the venue does not have ${symbol}: ${refusalText(reply)}` };
    if (reply.type !== "ok")
      return { type: "unknown", reason: `its rules for ${symbol} are not known: ${reasonOf(reply)}` };
    try {
      const found = rowsOf(rowOf(reply.body).symbols).find((row) => row.symbol === symbol);
      if (!found) throw new Unreadable(`no rules for ${symbol}`);
      const rules = readRules(found);
      this.#rules.set(symbol, { rules, atMs: this.#clock.monotonicMs() });
      return { type: "known", rules };
    } catch (error) {
      return { type: "unknown", reason: messageOf(error) };
    }
  }

  /** Decimals by the rules, as far as they were asked for; null where they were not yet. */
  precisionOf(symbol: string): Precision | null {
    const rules = this.#rules.get(symbol)?.rules;
    if (!rules) return null;
    const step = rules.lots.find(({ filter, step: size }) => filter === "LOT_SIZE" && decimal(size).gt("0"))?.step;
    return {
      priceDecimals: rules.tick === null ? null : decimalsOf(rules.tick),
      quantityDecimals: step === undefined ? null : decimalsOf(step),
    };
  }

  /** Forgets a symbol's rules: the venue refused by them what they let through. */
  forget(symbol: string): void {
    this.#rules.delete(symbol);
  }

  /**
   * Why the venue would refuse this quantity, naming filter, need and found; null where nothing speaks against it. Nothing is
   * rounded: another quantity is another decision. Where its average price is not to be had, the venue itself will judge.
   */
  async faultOf(symbol: string, rules: SymbolRules, quantity: string): Promise<string | null> {
    const fault = lotFault(rules, quantity);
    if (fault !== null || rules.notionals.length === 0) return fault;
    const price = await this.#averagePrice(symbol);
    return price === null ? null : notionalFault(rules, quantity, price);
  }

  #averagePrice(symbol: string): Promise<string | null> {
    const kept = this.#averages.get(symbol);
    if (kept && this.#clock.monotonicMs() - kept.atMs < AVERAGE_KEPT_MS) return Promise.resolve(kept.price);
    return once(this.#averaging, symbol, () => this.#askAverage(symbol));
  }

  async #askAverage(symbol: string): Promise<string | null> {
    const reply = await this.#rest.public("/api/v3/avgPrice", [["symbol", symbol]]);
    if (reply.type !== "ok") return null;
    try {
      const price = decimalOf(rowOf(reply.body), "price");
      if (!decimal(price).gt("0")) return null;
      this.#averages.set(symbol, { price, atMs: this.#clock.monotonicMs() });
      return price;
    } catch {
      return null;
    }
  }
}

/** Many orders at once ask once. */
function once<T>(asking: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const known = asking.get(key);
  if (known) return known;
  const asked = ask().finally(() => asking.delete(key));
  asking.set(key, asked);
  return asked;
}

/** Reads a symbol of exchangeInfo by Binance's document "Filters"; what does not concern market orders is left out. */
export function readRules(row: Row): SymbolRules {
  const lots: LotRule[] = [];
  const notionals: NotionalRule[] = [];
  let tick: string | null = null;
  for (const filter of rowsOf(row.filters)) {
    const type = filter.filterType;
    if (type === "LOT_SIZE" || type === "MARKET_LOT_SIZE") {
      const [least, most, step] = ["minQty", "maxQty", "stepSize"].map((name) => decimalOf(filter, name));
      lots.push({ filter: type, least: least ?? "0", most: most ?? "0", step: step ?? "0" });
    } else if (type === "PRICE_FILTER") {
      tick = tickOf(filter);
    } else if (type === "MIN_NOTIONAL" && filter.applyToMarket === true) {
      notionals.push({ filter: type, least: decimalOf(filter, "minNotional"), most: null });
    } else if (type === "NOTIONAL") {
      const least = filter.applyMinToMarket === true ? decimalOf(filter, "minNotional") : null;
      const most = filter.applyMaxToMarket === true ? decimalOf(filter, "maxNotional") : null;
      if (least !== null || most !== null) notionals.push({ filter: type, least, most });
    }
  }
  return { base: textOf(row, "baseAsset"), quote: textOf(row, "quoteAsset"), tick, lots, notionals };
}

/** Null where it is switched off ("0") or unreadable: it is for people alone, and nothing may hang on it. */
function tickOf(filter: Row): string | null {
  try {
    const size = decimalOf(filter, "tickSize");
    return decimal(size).gt("0") ? size : null;
  } catch {
    return null;
  }
}

/** Decimals of "0.01000000": 2. */
function decimalsOf(size: string): number {
  return decimalText(decimal(size)).split(".")[1]?.length ?? 0;
}

function lotFault({ lots, base }: SymbolRules, quantity: string): string | null {
  const amount = decimal(quantity);
  for (const { filter, least, most, step } of lots) {
    const fault = (need: string) => `${filter}: the quantity must be ${need} ${base}, found ${quantity}`;
    if (amount.lt(least)) return fault(`at least ${decimalText(decimal(least))}`);
    if (decimal(most).gt("0") && amount.gt(most)) return fault(`at most ${decimalText(decimal(most))}`);
    if (decimal(step).gt("0") && !amount.mod(step).eq("0")) return fault(`a multiple of ${decimalText(decimal(step))}`);
  }
  return null;
}

function notionalFault({ notionals, quote }: SymbolRules, quantity: string, price: string): string | null {
  const value = decimal(quantity).times(price);
  for (const { filter, least, most } of notionals) {
    const found = `found ${quantity} at an average of ${decimalText(decimal(price))}, which is ${decimalText(value)}`;
    if (least !== null && value.lt(least))
      return `${filter}: the order must be worth at least ${decimalText(decimal(least))} ${quote}, ${found}`;
    if (most !== null && value.gt(most))
      return `${filter}: the order must be worth at most ${decimalText(decimal(most))} ${quote}, ${found}`;
  }
  return null;
}
