import * as v from "valibot";
import { SYMBOL_PATTERN } from "../core/symbol.ts";
import type { HealthBody, IndicatorsBody, LogsBody, MetricsBody, PositionsBody, ScanBody } from "../core/wire.ts";

/**
 * Telemetry bodies as the bridge lets them in: every list and text has a bound, and fields the wire does not know are left
 * out, so that nothing unforeseen reaches a browser. A body outside its schema is malformed: counted and skipped.
 */
const MAX_RAILS = 5000;
const MAX_VALUES = 2000;
const MAX_POSITIONS = 5000;
const MAX_NEWEST = 50;
const MAX_INSTRUMENTS = 500;
const MAX_INDICATOR_SYMBOLS = 64;
const MAX_INDICATOR_SERIES = 8;
const MAX_INDICATOR_ROWS = 120;
const MAX_SCAN_ROWS = 5000;
const MAX_LOG_ENTRIES = 5000;

export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const number = v.pipe(v.number(), v.finite());
export const name = v.pipe(v.string(), v.nonEmpty(), v.maxLength(64));
/** Long texts are cut, not refused: a node that lists 500 symbols is still a node to see. */
export const text = v.pipe(
  v.string(),
  v.transform((whole) => whole.slice(0, 1000)),
  v.string(),
  v.maxLength(1000),
);
const decimal = v.pipe(v.string(), v.maxLength(64), v.regex(/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/));
export const symbol = v.pipe(v.string(), v.regex(SYMBOL_PATTERN, "not a symbol"));
export const time = v.pipe(v.number(), v.safeInteger());

export const role = v.picklist(["market-data", "runner", "scanner", "bridge", "sim"]);
export const nodeState = v.picklist(["starting", "running", "degraded", "failed", "halted", "stopping"]);
export const mode = v.picklist(["paper", "live"]);
const side = v.picklist(["buy", "sell"]);

const envelope = { v: number, node: name, epoch: name, seq: count, sentAt: number };

/** JSON has no NaN: a figure that has no value yet (a percentile of nothing) arrives as null and is left out. */
const figure = v.nullable(number);

function withoutNulls(values: Readonly<Record<string, number | null>>): Record<string, number> {
  const known = Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== null);
  return Object.fromEntries(known);
}

const flatRecord = v.pipe(v.record(name, v.union([text, number, v.boolean(), v.null()])), v.maxEntries(100));

export const HEALTH_SCHEMA = v.object({
  ...envelope,
  role,
  pid: count,
  version: name,
  uptimeMs: number,
  state: nodeState,
  reason: v.nullable(text),
  dataAgeMs: v.nullable(number),
  mode: v.nullable(mode),
  details: flatRecord,
}) satisfies v.GenericSchema<unknown, HealthBody>;

export const RAIL_SCHEMA = v.object({
  symbol,
  rail: v.picklist(["FAST", "FALLBACK", "STALE"]),
  reason: text,
  ageMs: number,
  lastOpenTime: v.nullable(time),
  delivered: count,
  digest: v.pipe(v.string(), v.maxLength(128)),
});

export const METRICS_SCHEMA = v.object({
  ...envelope,
  role,
  values: v.pipe(
    v.record(v.pipe(v.string(), v.maxLength(128)), figure),
    v.maxEntries(MAX_VALUES),
    v.transform(withoutNulls),
    v.record(v.string(), number),
    v.maxEntries(MAX_VALUES),
  ),
  rails: v.pipe(v.array(RAIL_SCHEMA), v.maxLength(MAX_RAILS)),
}) satisfies v.GenericSchema<unknown, MetricsBody>;

export const POSITION_SCHEMA = v.object({
  symbol,
  quantity: decimal,
  averagePrice: decimal,
  realisedPnl: decimal,
  unrealisedPnl: decimal,
  lastPrice: v.nullable(number),
});

export const ORDER_SCHEMA = v.object({
  clientOrderId: name,
  runner: name,
  symbol,
  openTime: time,
  side,
  quantity: decimal,
  price: v.nullable(decimal),
  status: name,
});

export const FILL_SCHEMA = v.object({
  clientOrderId: v.nullable(name),
  symbol,
  side,
  quantity: decimal,
  price: decimal,
  fee: decimal,
  feeAsset: v.nullable(name),
  openTime: time,
  at: v.nullable(time),
});

export const DECISION_SCHEMA = v.object({
  clientOrderId: name,
  symbol,
  openTime: time,
  at: time,
  side,
  quantity: decimal,
  reason: v.nullable(text),
  outcome: name,
  outcomeReason: v.nullable(text),
  refusal: v.nullable(name),
});

export const PROFIT_SCHEMA = v.object({
  day: v.nullable(time),
  today: v.nullable(decimal),
  total: v.nullable(decimal),
  byQuote: v.pipe(
    v.array(v.object({ quote: name, today: v.nullable(decimal), total: decimal })),
    v.maxLength(MAX_POSITIONS),
  ),
});

const decimals = v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(18)));

export const INSTRUMENT_SCHEMA = v.object({
  symbol,
  priceDecimals: decimals,
  quantityDecimals: decimals,
  source: v.picklist(["venue", "observed"]),
});

export const POSITIONS_SCHEMA = v.object({
  ...envelope,
  mode,
  strategy: text,
  positions: v.pipe(v.array(POSITION_SCHEMA), v.maxLength(MAX_POSITIONS)),
  orders: v.pipe(v.array(ORDER_SCHEMA), v.maxLength(MAX_NEWEST)),
  fills: v.exactOptional(v.pipe(v.array(FILL_SCHEMA), v.maxLength(MAX_NEWEST))),
  decisions: v.exactOptional(v.pipe(v.array(DECISION_SCHEMA), v.maxLength(MAX_NEWEST))),
  pnl: v.exactOptional(PROFIT_SCHEMA),
  instruments: v.exactOptional(v.pipe(v.array(INSTRUMENT_SCHEMA), v.maxLength(MAX_INSTRUMENTS))),
}) satisfies v.GenericSchema<unknown, PositionsBody>;

export const INDICATOR_TABLE_SCHEMA = v.object({
  symbol,
  names: v.pipe(v.array(name), v.maxLength(MAX_INDICATOR_SERIES)),
  rows: v.pipe(
    v.array(v.pipe(v.array(figure), v.minLength(1), v.maxLength(1 + MAX_INDICATOR_SERIES))),
    v.maxLength(MAX_INDICATOR_ROWS),
    v.description("openTime of a bar, then a value per name; oldest first"),
  ),
});

const FITTING_TABLE_SCHEMA = v.pipe(
  INDICATOR_TABLE_SCHEMA,
  v.check(({ names, rows }) => rows.every((row) => row.length === names.length + 1), "a row does not fit its names"),
);

export const INDICATORS_SCHEMA = v.object({
  ...envelope,
  strategy: text,
  timeframe: name,
  symbols: v.pipe(v.array(FITTING_TABLE_SCHEMA), v.maxLength(MAX_INDICATOR_SYMBOLS)),
  omitted: count,
}) satisfies v.GenericSchema<unknown, IndicatorsBody>;

export const SCAN_ROW_SCHEMA = v.object({
  rule: name,
  symbol,
  rank: count,
  score: number,
  openTime: time,
  note: text,
});

export const SCAN_SCHEMA = v.object({
  ...envelope,
  rows: v.pipe(v.array(SCAN_ROW_SCHEMA), v.maxLength(MAX_SCAN_ROWS)),
}) satisfies v.GenericSchema<unknown, ScanBody>;

export const LOGS_SCHEMA = v.object({
  ...envelope,
  entries: v.pipe(
    v.array(
      v.object({
        at: number,
        level: v.picklist(["debug", "info", "warn", "error"]),
        message: v.pipe(
          v.string(),
          v.transform((message) => message.slice(0, 2000)),
        ),
      }),
    ),
    v.maxLength(MAX_LOG_ENTRIES),
  ),
  dropped: count,
}) satisfies v.GenericSchema<unknown, LogsBody>;

export interface Problem {
  readonly problem: string;
}

/** Validates a body that `parseEnvelope` read; a problem names the first field that does not fit. */
export function parseBody<const S extends v.GenericSchema>(schema: S, body: unknown): v.InferOutput<S> | Problem {
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  return { problem: `${v.getDotPath(issue) ?? "body"}: ${issue.message}` };
}
