import { CANDLE_FIGURES, type Candle, candleFault } from "../../core/candle.ts";
import { FabricError } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { type CandleField, REQUIRED_FIELDS, snake } from "./candle-columns.ts";

/** A cell as its file gives it; empty text and null are absent. */
export type RowCell = unknown;

type Unit = "seconds" | "milliseconds" | "microseconds";

/** By magnitude, from 1973 on: a number of seconds is below 1e11, of ms below 1e14, of µs below 1e17. */
const UNITS: readonly (readonly [Unit, number, number])[] = [
  ["seconds", 1e8, 1000],
  ["milliseconds", 1e11, 1],
  ["microseconds", 1e14, 0.001],
];
const TOO_LARGE = 1e17;
/** A file may tell the close as the last ms or second of the minute, or as the first of the next. */
const LEAST_LENGTH_MS = 59_000;

/** Makes candles of one file's rows. The unit of its times is that of its first row, for all of it. */
export class CandleRows {
  readonly #symbol: string;
  readonly #told: string;
  #unit: Unit | null = null;
  #perMs = 1;

  /** `told` is the file's name for messages. */
  constructor(symbol: string, told: string) {
    this.#symbol = symbol;
    this.#told = told;
  }

  /** A candle, imported; or what is wrong with the row. Throws FabricError "bad-data" where its time has another unit than the file's. */
  read(line: number, cell: (field: CandleField) => RowCell): Candle | string {
    for (const field of REQUIRED_FIELDS) if (isAbsent(cell(field))) return `${snake(field)} is empty`;
    const openTime = this.#timeOf(line, cell("openTime"));
    if (openTime === null) return `open_time is no time in seconds, ms or µs: ${shown(cell("openTime"))}`;
    const candle: Record<string, unknown> = { symbol: this.#symbol, openTime };
    for (const field of CANDLE_FIGURES) {
      const value = cell(field);
      const number = isAbsent(value) ? 0 : numberOf(value);
      if (Number.isNaN(number)) return `${snake(field)} is no number: ${shown(value)}`;
      candle[field] = number;
    }
    for (const field of IDS) {
      const value = cell(field);
      candle[field] = isAbsent(value) ? null : numberOf(value);
    }
    candle.provenance = "imported";
    const closeTime = cell("closeTime");
    if (!isAbsent(closeTime)) {
      const lengthMs = numberOf(closeTime) * this.#perMs - openTime;
      if (!(lengthMs >= LEAST_LENGTH_MS && lengthMs <= MINUTE_MS)) return "it is not one minute long";
    }
    const made = candle as unknown as Candle;
    const fault = candleFault(made);
    return fault === null ? made : fault.replace("openTime", "open_time");
  }

  /** Epoch ms; null for what is no time. */
  #timeOf(line: number, cell: RowCell): number | null {
    const value = numberOf(cell);
    const found = value < TOO_LARGE ? UNITS.findLast(([, least]) => value >= least) : undefined;
    if (!found) return null;
    const [unit, , perMs] = found;
    if (this.#unit === null) {
      this.#unit = unit;
      this.#perMs = perMs;
    } else if (this.#unit !== unit) {
      throw new FabricError(
        "bad-data",
        `Cannot read ${this.#told}: expected open_time in one unit, found ${this.#unit} first and ${unit} at line ${line}`,
      );
    }
    // Of µs a division is exact where a product with 0.001 is not.
    return unit === "microseconds" ? value / 1000 : value * perMs;
  }
}

const IDS: readonly CandleField[] = ["firstTradeId", "lastTradeId"];

/** NaN for what is no plain number. */
function numberOf(cell: RowCell): number {
  if (typeof cell === "number") return cell;
  if (typeof cell === "bigint") return Number(cell);
  return typeof cell === "string" && /^-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?$/.test(cell) ? Number(cell) : Number.NaN;
}

function isAbsent(cell: RowCell): boolean {
  return cell === null || cell === undefined || cell === "";
}

function shown(cell: RowCell): string {
  return JSON.stringify(String(cell).slice(0, 40));
}
