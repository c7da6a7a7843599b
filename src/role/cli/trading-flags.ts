import { isPositiveDecimal } from "../../core/decision.ts";
import { didYouMean } from "../../core/nearest.ts";
import { parseSymbols } from "../../core/symbol.ts";
import type { Values } from "./command.ts";
import { usageError } from "./flags.ts";
import { number, text, whole } from "./parse.ts";

const BROKERS = ["paper", "binance"] as const;
/** Says on purpose that there is no limit. */
const NONE = "none";

export function brokerOf(values: Values): (typeof BROKERS)[number] {
  const given = text(values, "broker") ?? "paper";
  const broker = BROKERS.find((known) => known === given);
  if (broker) return broker;
  throw usageError(`Bad --broker "${given}": expected ${BROKERS.join(" or ")}${didYouMean(given, BROKERS)}`);
}

/** A decimal above zero as text, null for "none", undefined where the flag is absent. Throws "usage". */
export function amountOf(values: Values, name: string): string | null | undefined {
  const given = text(values, name);
  if (given === undefined) return undefined;
  return given === NONE ? null : positive(given, name, "an amount above zero such as 1000, or none");
}

/** One amount for every symbol, or one for each named (BTCUSDT=0.5,ETHUSDT=10). As `amountOf`. */
export function amountsOf(values: Values, name: string): string | ReadonlyMap<string, string> | null | undefined {
  const given = text(values, name);
  if (given === undefined || !given.includes("=")) return amountOf(values, name);
  const expected = "amounts above zero such as BTCUSDT=0.5,ETHUSDT=10";
  const pairs = given.split(",").map((part) => part.split("="));
  const symbols = parseSymbols(pairs.map(([symbol]) => symbol).join(","));
  return new Map(
    symbols.map((symbol, at) => {
      const [, amount, ...more] = pairs[at] ?? [];
      if (amount === undefined || more.length > 0) throw usageError(`Bad --${name} "${given}": expected ${expected}`);
      return [symbol, positive(amount, name, expected)];
    }),
  );
}

/** A count from 1, as `amountOf`. */
export function countOf(values: Values, name: string): number | null | undefined {
  return text(values, name) === NONE ? null : whole(values, name, 1, 1_000_000);
}

/** Percent above zero, as `amountOf`. */
export function percentOf(values: Values, name: string): number | null | undefined {
  return text(values, name) === NONE ? null : number(values, name, 0.01, 100);
}

function positive(amount: string, name: string, expected: string): string {
  if (isPositiveDecimal(amount)) return amount;
  throw usageError(`Bad --${name} "${amount}": expected ${expected}`);
}
