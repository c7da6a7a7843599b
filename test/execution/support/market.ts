import type { StoredCandle } from "../../../src/core/candle.ts";
import type { DeliveryCursor, DeliveryEvent, SymbolCursor } from "../../../src/core/delivery.ts";
import { EMPTY_DIGEST, extendDigest } from "../../../src/core/digest.ts";
import { MINUTE_MS } from "../../../src/core/time.ts";
import type { MarketHistory } from "../../../src/execution/decision-maker.ts";

export const STORE_ID = "11111111-2222-4333-8444-555555555555";
export const START = Date.UTC(2025, 0, 1);

/** A small reproducible generator (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function candle(symbol: string, minute: number, more: Partial<StoredCandle> = {}): StoredCandle {
  return {
    symbol,
    openTime: START + minute * MINUTE_MS,
    open: 100,
    high: 101,
    low: 99,
    close: 100,
    volume: 1,
    quoteVolume: 100,
    trades: 10,
    takerBuyVolume: 0.5,
    takerBuyQuoteVolume: 50,
    firstTradeId: null,
    lastTradeId: null,
    provenance: "complete",
    commitSeq: minute + 1,
    prevOpenTime: minute === 0 ? null : START + (minute - 1) * MINUTE_MS,
    ...more,
  };
}

/** The rows of a store: random walks with quiet, missing and partial minutes, and late imports into the past. */
export function randomRows(seed: number, symbols: readonly string[], minutes: number): readonly StoredCandle[] {
  const random = seeded(seed);
  const rows: StoredCandle[] = [];
  const heads = new Map<string, { openTime: number | null; close: number }>();
  const push = (row: Omit<StoredCandle, "commitSeq" | "prevOpenTime">) => {
    const head = heads.get(row.symbol) ?? { openTime: null, close: 100 };
    rows.push({ ...row, commitSeq: rows.length + 1, prevOpenTime: head.openTime });
    if (head.openTime === null || row.openTime > head.openTime)
      heads.set(row.symbol, { openTime: row.openTime, close: row.close });
  };
  for (let minute = 0; minute < minutes; minute++) {
    for (const symbol of symbols) {
      const open = heads.get(symbol)?.close ?? 100;
      const kind = random();
      if (kind < 0.04) {
        if (random() < 0.5)
          push({ ...candle(symbol, minute), provenance: "imported", openTime: START - (rows.length + 1) * MINUTE_MS });
        continue;
      }
      const quiet = kind < 0.25;
      const close = quiet ? open : Math.round(open * (1 + (random() - 0.5) * 0.04) * 100) / 100;
      push({
        ...candle(symbol, minute),
        open,
        close,
        high: Math.max(open, close),
        low: Math.min(open, close),
        trades: quiet ? 0 : 5,
        volume: quiet ? 0 : Math.round(random() * 1000) / 100,
        provenance: kind > 0.95 ? "partial" : quiet ? "empty" : "complete",
      });
    }
  }
  return rows;
}

export interface Delivered {
  readonly event: DeliveryEvent;
  readonly cursor: DeliveryCursor;
}

/** The delivery after a cursor, straight from its definition. */
export function deliveryAfter(rows: readonly StoredCandle[], from: DeliveryCursor): readonly Delivered[] {
  const symbols = new Map<string, SymbolCursor>(from.symbols);
  const delivered: Delivered[] = [];
  for (const row of rows) {
    const at = symbols.get(row.symbol);
    if (row.commitSeq <= from.throughSeq || row.provenance === "imported" || row.provenance === "partial") continue;
    if (at && row.openTime <= at.lastOpenTime) continue;
    if (at && row.openTime > at.lastOpenTime + MINUTE_MS) {
      const gap = { fromOpenTime: at.lastOpenTime + MINUTE_MS, toOpenTime: row.openTime - MINUTE_MS };
      const cursor = { storeId: from.storeId, throughSeq: row.commitSeq - 1, symbols: new Map(symbols) };
      delivered.push({ event: { type: "gap", symbol: row.symbol, ...gap }, cursor });
    }
    symbols.set(row.symbol, {
      lastOpenTime: row.openTime,
      digest: extendDigest(at?.digest ?? EMPTY_DIGEST, row),
      delivered: (at?.delivered ?? 0) + 1,
    });
    const cursor = { storeId: from.storeId, throughSeq: row.commitSeq, symbols: new Map(symbols) };
    delivered.push({ event: { type: "candle", candle: row }, cursor });
  }
  return delivered;
}

/** A store's reader over rows in memory, published up to `throughSeq`. */
export class MemoryMarket implements MarketHistory {
  readonly rows: readonly StoredCandle[];
  throughSeq: number;

  constructor(rows: readonly StoredCandle[], throughSeq = rows.length) {
    this.rows = rows;
    this.throughSeq = throughSeq;
  }

  view(): Promise<{ storeId: string; throughSeq: number }> {
    return Promise.resolve({ storeId: STORE_ID, throughSeq: this.throughSeq });
  }

  history(symbol: string, from: number, to: number): Promise<readonly StoredCandle[]> {
    const within = this.rows.filter(
      (row) => row.commitSeq <= this.throughSeq && row.symbol === symbol && row.openTime >= from && row.openTime <= to,
    );
    return Promise.resolve(within.sort((a, b) => a.openTime - b.openTime));
  }
}
