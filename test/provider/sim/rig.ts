import type { DeliveryCursor, DeliveryEvent } from "../../../src/core/delivery.ts";
import type { Log } from "../../../src/core/env.ts";
import type { RailState } from "../../../src/core/wire.ts";
import { DualRailProvider } from "../../../src/provider/dual-rail-provider.ts";
import type { DeliveryConsumer, ProviderOptions } from "../../../src/provider/options.ts";
import { LossyWire, PERFECT_WIRE } from "./lossy-wire.ts";
import { FIRST_MINUTE, MarketNode } from "./market-node.ts";
import { ModelStore, modelReader } from "./model-store.ts";
import { VirtualTime } from "./virtual-time.ts";

export const STORE = "store-1";

/** The minute `index` minutes after the first. */
export function minute(index: number): number {
  return FIRST_MINUTE + index * 60_000;
}

/** Reads candles and gaps as short text: the minutes' numbers. */
export function told(events: readonly DeliveryEvent[]): readonly string[] {
  const at = (openTime: number) => (openTime - FIRST_MINUTE) / 60_000;
  return events.map((event) =>
    event.type === "candle"
      ? `${event.candle.symbol} ${at(event.candle.openTime)}`
      : `${event.symbol} gap ${at(event.fromOpenTime)}-${at(event.toOpenTime)}`,
  );
}

/** One provider on virtual time, with a wire and a reader that do as the test says. */
export class Rig {
  readonly time = new VirtualTime();
  readonly store = new ModelStore(STORE);
  readonly logged: string[] = [];
  readonly events: DeliveryEvent[] = [];
  readonly wire: LossyWire;
  readonly node: MarketNode;
  readonly provider: DualRailProvider;
  readMs = 1;
  readError: Error | null = null;
  reads = 0;
  /** What `run` rejected with; undefined while it runs, null once it resolved. */
  ended: unknown;
  #drops = false;

  constructor(options: Partial<ProviderOptions> = {}, store?: ModelStore, speed = 60) {
    if (store) this.store = store;
    this.wire = new LossyWire(this.time, { ...PERFECT_WIRE, drops: () => this.#drops });
    this.node = new MarketNode(this.time, this.store, this.wire, speed);
    const reader = modelReader(this.store, this.time, {
      delayMs: () => {
        this.reads++;
        return this.readMs;
      },
      fails: () => {
        if (this.readError) throw this.readError;
        return false;
      },
      readsEarly: () => false,
    });
    const note = (message: string) => void this.logged.push(message);
    const log: Log = { debug: note, info: note, warn: note, error: note };
    this.provider = new DualRailProvider(
      { reader, market: this.wire.subscription(), clock: this.time, timers: this.time, log },
      // Most tests send no heartbeats, and mean nothing by it.
      { symbols: "all", cursor: fromStart(), silentAfterMs: Number.POSITIVE_INFINITY, ...options },
    );
  }

  /** Runs the provider and lets it join. */
  async start(consumer?: DeliveryConsumer): Promise<void> {
    const run = this.provider.run((event, cursor) => {
      this.events.push(event);
      return consumer?.(event, cursor);
    });
    run.then(
      () => {
        this.ended = null;
      },
      (error: unknown) => {
        this.ended = error;
      },
    );
    await this.time.advance(20);
  }

  /** Publishes into nothing while `act` runs. */
  unheard(act: () => void): void {
    this.#drops = true;
    act();
    this.#drops = false;
  }

  counter(name: string): number {
    return this.provider.counters()[name] ?? 0;
  }

  rail(symbol: string): RailState | undefined {
    return this.provider.rails().find((state) => state.symbol === symbol);
  }

  told(): readonly string[] {
    return told(this.events);
  }
}

/** A consumer that wants everything the store ever held. */
export function fromStart(storeId = STORE): DeliveryCursor {
  return { storeId, throughSeq: 0, symbols: new Map() };
}
