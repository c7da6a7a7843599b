import { type Candle, candleFault, type FeedGap, type StoredCandle } from "../core/candle.ts";
import { FabricError } from "../core/errors.ts";
import { isSymbol } from "../core/symbol.ts";
import type { SymbolHead } from "./contract.ts";

/** What the store already knows about the rows of a batch. */
export interface Known {
  readonly commitSeq: number;
  readonly heads: ReadonlyMap<string, SymbolHead>;
  /** Newest stored minute of symbols without a head (all of it imported). */
  readonly importedThrough: ReadonlyMap<string, number>;
  /** Minutes stored of the batch's imported rows, as `minuteKey`. */
  readonly importedMinutes: ReadonlySet<string>;
}

export interface Numbered {
  readonly rows: readonly StoredCandle[];
  /** The heads that these rows bring. */
  readonly heads: ReadonlyMap<string, SymbolHead>;
  readonly skipped: number;
}

/**
 * Numbers a batch's rows and links each to its symbol's previous one. One row a minute and symbol, for ever: a row that is not
 * above its symbol's head is left out; so is an imported one whose minute is stored or lies above the head (imports are history, and
 * the delivery may not step over them), and a first live one whose minute was imported. Pure. Throws FabricError "bad-data".
 */
export function numberRows(candles: readonly Candle[], known: Known): Numbered {
  const rows: StoredCandle[] = [];
  const heads = new Map<string, SymbolHead>();
  const imported = new Set(known.importedMinutes);
  const importedThrough = new Map(known.importedThrough);
  let seq = known.commitSeq;
  for (const candle of candles) {
    checkCandle(candle);
    const head = heads.get(candle.symbol) ?? known.heads.get(candle.symbol);
    const isImport = candle.provenance === "imported";
    if (isImport ? !takesImport(candle, head, imported) : !takesLive(candle, head, importedThrough)) continue;
    rows.push({ ...candle, commitSeq: ++seq, prevOpenTime: head?.lastOpenTime ?? null });
    if (!isImport) {
      heads.set(candle.symbol, headOf(candle, seq));
      continue;
    }
    imported.add(minuteKey(candle.symbol, candle.openTime));
    const newest = importedThrough.get(candle.symbol) ?? candle.openTime;
    importedThrough.set(candle.symbol, Math.max(newest, candle.openTime));
  }
  return { rows, heads, skipped: candles.length - rows.length };
}

export function minuteKey(symbol: string, openTime: number): string {
  return `${symbol} ${openTime}`;
}

/** Throws FabricError "bad-data" on a gap whose ends are not minutes in order. */
export function checkGaps(gaps: readonly FeedGap[]): void {
  for (const gap of gaps) {
    const whole = gap.fromOpenTime % 60_000 === 0 && gap.toOpenTime % 60_000 === 0;
    if (!isSymbol(gap.symbol) || !whole || !(gap.fromOpenTime <= gap.toOpenTime)) {
      throw new FabricError(
        "bad-data",
        `Cannot store a gap of ${gap.symbol}: ${gap.fromOpenTime} to ${gap.toOpenTime} are not minutes in order`,
      );
    }
  }
}

/** Throws FabricError "bad-data" on a candle that cannot be one. */
export function checkCandle(candle: Candle): void {
  const fault = isSymbol(candle.symbol) ? candleFault(candle) : "symbol is not one";
  if (fault !== null) {
    throw new FabricError("bad-data", `Cannot store a candle of ${candle.symbol} at ${candle.openTime}: ${fault}`);
  }
}

function takesImport(candle: Candle, head: SymbolHead | undefined, stored: ReadonlySet<string>): boolean {
  if (head && candle.openTime >= head.lastOpenTime) return false;
  return !stored.has(minuteKey(candle.symbol, candle.openTime));
}

function takesLive(
  candle: Candle,
  head: SymbolHead | undefined,
  importedThrough: ReadonlyMap<string, number>,
): boolean {
  const last = head?.lastOpenTime ?? importedThrough.get(candle.symbol) ?? Number.NEGATIVE_INFINITY;
  return candle.openTime > last;
}

function headOf(candle: Candle, commitSeq: number): SymbolHead {
  return {
    lastOpenTime: candle.openTime,
    lastCommitSeq: commitSeq,
    lastClose: candle.close,
    lastTradeId: candle.lastTradeId,
  };
}
