import type { Files } from "../../core/env.ts";
import type { BinanceMarket } from "../binance/frame.ts";
import { FrameReader } from "../binance/frame-reader.ts";
import { isRecordedLine, readRecordedLine } from "./recorded-line.ts";
import { readLines } from "./text-lines.ts";
import { TradeCsv } from "./trade-csv.ts";

export interface ReplayFile {
  readonly path: string;
  readonly kind: "recording" | "csv" | "parquet";
  /** Of the first trade; null where there is none, or where the file does not tell. */
  readonly market: BinanceMarket | null;
  /** Whether a trade was found (Parquet: looked at when played). */
  readonly readable: boolean;
}

/** Reads a file up to its first trade, to tell what it is. Throws "missing-input" where it is not there. */
export async function inspect(path: string, files: Files): Promise<ReplayFile> {
  const bytes = files.readBytes(path);
  if (new TextDecoder("latin1").decode(bytes.subarray(0, 4)) === "PAR1") {
    return { path, kind: "parquet", market: null, readable: true };
  }
  const reader = new FrameReader();
  let recorded = false;
  for await (const lines of readLines(bytes, { damage: null })) {
    for (const line of lines) {
      if (!recorded && TradeCsv.knows(line)) {
        return { path, kind: "csv", market: TradeCsv.isSpot(line) ? "binance-spot" : "binance-usdm", readable: true };
      }
      recorded ||= isRecordedLine(line);
      const frame = recorded ? readRecordedLine(reader, line) : null;
      if (frame !== null && frame !== "note" && (frame.type === "trade" || frame.type === "omitted")) {
        return { path, kind: "recording", market: frame.market, readable: true };
      }
    }
  }
  return { path, kind: "recording", market: null, readable: false };
}
