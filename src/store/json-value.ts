import { toRfc3339 } from "../core/time.ts";

/** A column's type as the binding describes it, reduced to what the conversion needs. */
export interface ValueType {
  /** DuckDB's own number of the type (duckdb.h, duckdb_type). */
  readonly typeId: number;
  readonly valueType?: ValueType;
  readonly keyType?: ValueType;
  readonly entryNames?: readonly string[];
  readonly entryTypes?: readonly ValueType[];
  toString(): string;
}

/** What JSON can hold. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

const TYPE = {
  timestamp: 12,
  decimal: 19,
  timestampSeconds: 20,
  timestampMillis: 21,
  timestampNanos: 22,
  list: 24,
  struct: 25,
  map: 26,
  timestampTz: 31,
  array: 33,
} as const;

/** Digits a double keeps of any decimal number. */
const EXACT_DIGITS = 15;
const MAX_DATE_MICROS = 8_640_000_000_000_000_000n;

/**
 * One rule for every `--json`: integers as numbers (as text above 2^53), TIMESTAMP as RFC 3339 with Z, DOUBLE as number
 * (NaN and infinities null), DECIMAL as number where a double keeps all its digits, else text; lists, structs and maps as
 * JSON (a map as a list of {key, value}); any other type as DuckDB writes it. Throws nothing.
 */
export function toJsonValue(value: unknown, type: ValueType): JsonValue {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case "boolean":
    case "string":
      return value;
    case "number":
      return Number.isFinite(value) ? value : null;
    case "bigint":
      return integer(value);
    default:
      return objectValue(value as Readonly<Record<string, unknown>>, type);
  }
}

function objectValue(value: Readonly<Record<string, unknown>>, type: ValueType): JsonValue {
  switch (type.typeId) {
    case TYPE.timestamp:
    case TYPE.timestampTz:
      return time(value.micros as bigint, value);
    case TYPE.timestampSeconds:
      return time((value.seconds as bigint) * 1_000_000n, value);
    case TYPE.timestampMillis:
      return time((value.millis as bigint) * 1000n, value);
    case TYPE.timestampNanos:
      return time((value.nanos as bigint) / 1000n, value);
    case TYPE.decimal:
      return decimal(String(value));
    case TYPE.list:
    case TYPE.array:
      return (value.items as readonly unknown[]).map((item) => toJsonValue(item, type.valueType ?? type));
    case TYPE.struct:
      return struct(value.entries as Readonly<Record<string, unknown>>, type);
    case TYPE.map:
      return (value.entries as readonly { key: unknown; value: unknown }[]).map((entry) => ({
        key: toJsonValue(entry.key, type.keyType ?? type),
        value: toJsonValue(entry.value, type.valueType ?? type),
      }));
    default:
      return String(value);
  }
}

function integer(value: bigint): JsonValue {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function decimal(text: string): JsonValue {
  return text.replace(/[-.]/g, "").replace(/^0+/, "").length <= EXACT_DIGITS ? Number(text) : text;
}

function struct(entries: Readonly<Record<string, unknown>>, type: ValueType): JsonValue {
  const names = type.entryNames ?? [];
  return Object.fromEntries(
    names.map((name, index) => [name, toJsonValue(entries[name], type.entryTypes?.[index] ?? type)]),
  );
}

/** Infinite times and years beyond a Date's range stay as DuckDB writes them. */
function time(micros: bigint, value: unknown): JsonValue {
  if (micros > MAX_DATE_MICROS || micros < -MAX_DATE_MICROS) return String(value);
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  const ms = Number((micros - rest) / 1000n);
  if (rest === 0n) return toRfc3339(ms);
  return new Date(ms).toISOString().replace("Z", `${String(rest).padStart(3, "0")}Z`);
}
