import type { ArgDef, ArgsDef } from "citty";
import { FabricError } from "../../core/errors.ts";
import { parseSymbols } from "../../core/symbol.ts";
import { parseDuration, parseTime } from "../../core/time.ts";
import type { Values } from "./command.ts";
import { list, number, text } from "./parse.ts";

/** Flags that several commands share, under one name and one meaning. */
export const DATA_FLAG: ArgDef = {
  type: "string",
  valueHint: "DIR",
  description: "data folder (FABRIC_DATA, else ./fabric-data)",
};
export const SYMBOLS_FLAG: ArgDef = { type: "string", valueHint: "A,B", description: "symbols, comma-separated" };
export const VENUE_FLAG: ArgDef = {
  type: "string",
  valueHint: "ID",
  description: "binance-spot unless given; fabric venues lists them",
};
export const NAME_FLAG: ArgDef = {
  type: "string",
  valueHint: "NAME",
  description: "this node's name, unique in the data folder",
};
export const JSON_FLAG: ArgDef = { type: "boolean", description: "machine-readable output" };

export const NEW_RUNNER_FLAG: ArgDef = { type: "boolean", description: "the runner is yet to be made" };

/** A time range as minuteRangeOf reads it. */
export const RANGE_FLAGS: ArgsDef = {
  from: { type: "string", valueHint: "TIME", description: "first minute (RFC 3339)" },
  to: { type: "string", valueHint: "TIME", description: "last minute, inclusive" },
};

/** The runner a command is about; null for --all. Throws "usage" where it is neither or both. */
export function runnerOrAll(values: Values): string | null {
  const runner = text(values, "runner");
  if ((runner === undefined) === (values.all === true)) return runner ?? null;
  throw usageError(
    runner === undefined ? "Missing RUNNER: expected a runner's name, or --all" : "Take RUNNER or --all, not both",
  );
}

export function symbolsOf(values: Values, name = "symbols"): readonly string[] | undefined {
  const given = text(values, name);
  return given === undefined ? undefined : parseSymbols(given);
}

/** The one symbol of --symbol. Throws "usage" where it is none, or several. */
export function symbolOf(values: Values): string | undefined {
  const given = text(values, "symbol");
  if (given === undefined) return undefined;
  const [symbol, more] = parseSymbols(given);
  if (more !== undefined) throw usageError(`Bad --symbol "${given}": expected one symbol`);
  return symbol;
}

/** Exchange ms per wall ms. */
export function speedOf(values: Values): number | undefined {
  return number(values, "speed", 0.1, 10_000);
}

/** Endpoints of a repeatable flag, each one that libzmq knows. Throws "usage" naming flag and text. */
export function endpointsOf(values: Values, name: string): readonly string[] {
  for (const endpoint of list(values, name)) {
    const tcp = /^tcp:\/\/(?:\*|\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5}|\*)$/.exec(endpoint);
    const fits = tcp ? tcp[1] === "*" || Number(tcp[1]) <= 65_535 : /^ipc:\/\/.{1,107}$/.test(endpoint);
    if (!fits) throw new FabricError("usage", `Bad --${name} "${endpoint}": expected tcp://host:port or ipc://path`);
  }
  return list(values, name);
}

/** A port from 0 (any free one) to 65,535. */
export function portOf(values: Values, name = "port"): number | undefined {
  const given = text(values, name);
  if (given === undefined) return undefined;
  if (!/^\d{1,5}$/.test(given) || Number(given) > 65_535) {
    throw new FabricError("usage", `Bad --${name} "${given}": expected a port from 0 to 65535`);
  }
  return Number(given);
}

export function durationOf(values: Values, name: string): number | undefined {
  const given = text(values, name);
  return given === undefined ? undefined : parseDuration(given, `--${name}`);
}

/** A flag's RFC 3339 time as epoch ms, which must be the start of a minute. Throws "usage". */
export function minuteFlagOf(values: Values, name: string, fallback: string): number {
  return minuteFrom(name, text(values, name) ?? fallback);
}

/** The minutes of --from and --to, both inclusive, each undefined where it is not given. Throws "usage", also where they are not in order. */
export function minuteRangeOf(values: Values): { readonly from: number | undefined; readonly to: number | undefined } {
  const read = (name: string) => {
    const given = text(values, name);
    return given === undefined ? undefined : minuteFrom(name, given);
  };
  const [from, to] = [read("from"), read("to")];
  if (from !== undefined && to !== undefined && from > to)
    throw usageError(
      `Bad --to "${text(values, "to")}": expected a minute not before --from, "${text(values, "from")}"`,
    );
  return { from, to };
}

function minuteFrom(name: string, given: string): number {
  const timeMs = parseTime(given, `--${name}`);
  if (timeMs % 60_000 !== 0) throw usageError(`Bad --${name} "${given}": expected the start of a minute`);
  return timeMs;
}

/** The error for a flag whose value does not fit. */
export function usageError(message: string): FabricError {
  return new FabricError("usage", message);
}
