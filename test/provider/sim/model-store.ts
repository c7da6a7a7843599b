import type { Candle, StoredCandle } from "../../../src/core/candle.ts";
import { isDelivered } from "../../../src/core/delivery.ts";
import { FabricError } from "../../../src/core/errors.ts";
import type { DeliveryPage, StoreReader, StoreView, SymbolHead } from "../../../src/store/contract.ts";
import type { VirtualTime } from "./virtual-time.ts";

interface State {
  readonly throughSeq: number;
  readonly closedThrough: number | null;
}

/** A store in memory that keeps the contract: rows are committed at once and become readable when sealed. */
export class ModelStore {
  readonly storeId: string;
  readonly rows: StoredCandle[] = [];
  closedThrough: number | null = null;
  sealed: State | null = null;
  readonly #heads = new Map<string, number>();

  constructor(storeId: string) {
    this.storeId = storeId;
  }

  commit(candle: Candle): StoredCandle {
    const prevOpenTime = this.#heads.get(candle.symbol) ?? null;
    const row = { ...candle, commitSeq: this.rows.length + 1, prevOpenTime };
    if (isDelivered(row)) this.#heads.set(candle.symbol, candle.openTime);
    this.rows.push(row);
    return row;
  }

  state(): State {
    return { throughSeq: this.rows.length, closedThrough: this.closedThrough };
  }

  seal(state: State = this.state()): void {
    if (!this.sealed || state.throughSeq >= this.sealed.throughSeq) this.sealed = state;
  }

  view(): StoreView | null {
    if (!this.sealed) return null;
    const heads = new Map<string, SymbolHead>();
    for (const row of this.rows.slice(0, this.sealed.throughSeq)) {
      if (!isDelivered(row)) continue;
      const head = {
        lastOpenTime: row.openTime,
        lastCommitSeq: row.commitSeq,
        lastClose: row.close,
        lastTradeId: null,
      };
      heads.set(row.symbol, head);
    }
    return { storeId: this.storeId, venue: "sim", environment: "sim", ...this.sealed, heads };
  }

  page(afterSeq: number, limit: number, symbols: ReadonlySet<string> | "all"): DeliveryPage | null {
    const view = this.view();
    if (!view) return null;
    const throughSeq = Math.max(afterSeq, Math.min(afterSeq + limit, view.throughSeq));
    const candles = this.rows
      .slice(afterSeq, Math.min(throughSeq, view.throughSeq))
      .filter((row) => isDelivered(row) && (symbols === "all" || symbols.has(row.symbol)));
    return { candles, throughSeq, view };
  }
}

export interface ReaderFaults {
  /** Wall ms a read takes. */
  delayMs(): number;
  fails(): boolean;
  /** Whether a page is decided when the read begins (true) or when it ends. */
  readsEarly(): boolean;
  onView?(view: StoreView | null): void;
}

/** Reads the model as a consumer's reader would: late, and sometimes in vain. */
export function modelReader(store: ModelStore, time: VirtualTime, faults: ReaderFaults): StoreReader {
  const read = async <T>(take: () => T): Promise<T> => {
    const early = faults.readsEarly() ? { value: take() } : null;
    await time.sleep(faults.delayMs());
    if (faults.fails()) throw new FabricError("io", "Cannot read a segment: the model says so");
    return early ? early.value : take();
  };
  return {
    view: async () => {
      const view = await read(() => store.view());
      faults.onView?.(view);
      return view;
    },
    delivery: (afterSeq, limit, symbols) => read(() => store.page(afterSeq, limit, symbols)),
    history: async () => [],
    latest: async () => [],
    gaps: async () => [],
    close: async () => {},
  };
}
