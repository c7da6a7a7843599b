import type { Trade } from "../contract.ts";
import { TRADE_COLUMNS, tradeOfRow } from "./trade-row.ts";

/** Reads the lines of one trade CSV. The first line may be a header; columns then follow its names. */
export class TradeCsv {
  readonly #symbol: string;
  #columns: readonly string[] = TRADE_COLUMNS;

  constructor(symbol: string) {
    this.#symbol = symbol;
  }

  /** Whether `line` is a header or a row of such a file. */
  static knows(line: string): boolean {
    return isHeader(line) || new TradeCsv("X").read(line) !== null;
  }

  /** Whether the file is of the spot market: only there a column says whether the trade was the best match. */
  static isSpot(line: string): boolean {
    return line.split(",").length >= TRADE_COLUMNS.length;
  }

  /** A trade, "header", or null for a line that is neither. */
  read(line: string): Trade | "header" | null {
    if (isHeader(line)) {
      this.#columns = line
        .trim()
        .split(",")
        .map((name) => name.trim().toLowerCase().replace("isbuyermaker", "is_buyer_maker"));
      return "header";
    }
    const cells = line.split(",");
    if (cells.length < 6) return null;
    const row: Record<string, string> = {};
    for (let at = 0; at < cells.length; at++) {
      const name = this.#columns[at];
      if (name !== undefined) row[name] = (cells[at] ?? "").trim();
    }
    return tradeOfRow(this.#symbol, row);
  }
}

function isHeader(line: string): boolean {
  return /^\s*"?[a-z_ ]*id"?\s*,/i.test(line) && /price/i.test(line);
}
