import * as v from "valibot";
import { SYMBOL_PATTERN } from "../core/symbol.ts";
import { TIMEFRAMES } from "../core/timeframe.ts";

/** Query parameters. Each description completes "expected …" in an error and stands in the API's description. */

export const symbolParam = v.pipe(
  v.string(),
  v.regex(SYMBOL_PATTERN),
  v.description("a symbol such as BTCUSDT (1 to 40 upper-case letters, digits or . _ / -)"),
);

export const nodeParam = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.maxLength(64),
  v.description("a node's name such as market-data (1 to 64 characters)"),
);

export const nameParam = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.maxLength(64),
  v.description("a name of 1 to 64 characters"),
);

export const textParam = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.maxLength(200),
  v.description("a text of 1 to 200 characters to be found anywhere, whatever its case"),
);

export const levelParam = v.pipe(
  v.picklist(["debug", "info", "warn", "error"]),
  v.description("the least severity: one of debug, info, warn, error"),
);

export const timeframeParam = v.pipe(
  v.picklist(TIMEFRAMES),
  v.description(`a timeframe: one of ${TIMEFRAMES.join(", ")}`),
);

/** The last millisecond that a Date can hold. */
const LAST_TIME = 8_640_000_000_000_000;

export function timeParam(what: string) {
  return v.pipe(
    v.number(),
    v.integer(),
    v.minValue(0),
    v.maxValue(LAST_TIME),
    v.description(`a time in whole ms since 1970 (${what})`),
  );
}

export function countParam(what: string) {
  return v.pipe(
    v.number(),
    v.integer(),
    v.minValue(1),
    v.maxValue(Number.MAX_SAFE_INTEGER),
    v.description(`a number (${what})`),
  );
}

export function limitParam(most: number, usual: number) {
  const schema = v.pipe(
    v.number(),
    v.integer(),
    v.minValue(1),
    v.maxValue(most),
    v.description(`a limit from 1 to ${most} (the newest so many)`),
  );
  return v.optional(schema, usual);
}
