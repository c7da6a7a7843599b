import { type Candle, closeTimeOf, type Provenance, type StoredCandle } from "../../../src/core/candle.ts";
import { MINUTE_MS } from "../../../src/core/time.ts";
import type { CandleBody, HeartbeatBody } from "../../../src/core/wire.ts";
import type { LossyWire } from "./lossy-wire.ts";
import type { ModelStore } from "./model-store.ts";
import type { VirtualTime } from "./virtual-time.ts";

export const FIRST_MINUTE = 1_760_000_040_000 - (1_760_000_040_000 % MINUTE_MS);

/** A candle whose figures follow from symbol and minute. */
export function candleAt(symbol: string, openTime: number, provenance: Provenance = "complete"): Candle {
  const base = 100 + ((openTime / MINUTE_MS) % 97) + symbol.length / 8 + symbol.charCodeAt(0) / 64;
  return {
    symbol,
    openTime,
    open: base,
    high: base + 2,
    low: base - 1,
    close: base + 1,
    volume: 10.5,
    quoteVolume: base * 10.5,
    trades: 7,
    takerBuyVolume: 4,
    takerBuyQuoteVolume: base * 4,
    firstTradeId: 1,
    lastTradeId: 7,
    provenance,
  };
}

/** What a market-data node does, reduced to the order of its acts: commit, publish, and in a while seal. */
export class MarketNode {
  readonly store: ModelStore;
  readonly wire: LossyWire;
  readonly speed: number;
  readonly #time: VirtualTime;
  #epoch = 1;
  #seq = 0;
  #exchangeAtZero: number;

  constructor(time: VirtualTime, store: ModelStore, wire: LossyWire, speed = 60) {
    this.#time = time;
    this.store = store;
    this.wire = wire;
    this.speed = speed;
    this.#exchangeAtZero = FIRST_MINUTE - time.monotonicMs() * speed;
  }

  get exchangeTime(): number {
    return this.#exchangeAtZero + this.#time.monotonicMs() * this.speed;
  }

  /** A new life: another epoch, message counters from the start. */
  restart(): void {
    this.#epoch++;
    this.#seq = 0;
  }

  commit(symbol: string, openTime: number, provenance: Provenance = "complete"): StoredCandle {
    return this.store.commit(candleAt(symbol, openTime, provenance));
  }

  publish(row: StoredCandle): void {
    this.wire.candle(this.bodyOf(row));
  }

  /** Commit, publish, seal, at once. */
  close(symbol: string, openTime: number, provenance: Provenance = "complete"): StoredCandle {
    const row = this.commit(symbol, openTime, provenance);
    this.store.closedThrough = Math.max(openTime, this.store.closedThrough ?? 0);
    this.publish(row);
    this.store.seal();
    return row;
  }

  heartbeat(changes: Partial<HeartbeatBody> = {}): void {
    this.wire.heartbeat({
      ...this.#envelope(),
      storeId: this.store.storeId,
      commitSeq: this.store.rows.length,
      closedThrough: this.store.closedThrough,
      exchangeTime: this.exchangeTime,
      speed: this.speed,
      ...changes,
    });
  }

  bodyOf(row: StoredCandle): CandleBody {
    return { ...this.#envelope(), ...row, storeId: this.store.storeId, closeTime: closeTimeOf(row.openTime) };
  }

  #envelope() {
    return { v: 1, node: "md", epoch: `epoch-${this.#epoch}`, seq: ++this.#seq, sentAt: this.#time.nowMs() };
  }
}
