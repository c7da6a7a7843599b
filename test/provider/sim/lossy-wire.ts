import type { CandleBody, HeartbeatBody } from "../../../src/core/wire.ts";
import type { MarketHandlers, MarketSubscription } from "../../../src/provider/market.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface WireFaults {
  drops(): boolean;
  repeats(): boolean;
  /** Wall ms a message is under way: later ones may overtake it. */
  delayMs(): number;
  /** Wall ms until a new subscription takes effect. */
  joinMs(): number;
}

export const PERFECT_WIRE: WireFaults = {
  drops: () => false,
  repeats: () => false,
  delayMs: () => 0,
  joinMs: () => 0,
};

/** A publisher's wire to its subscribers that drops, repeats, delays and reorders. */
export class LossyWire {
  isCut = false;
  readonly #time: VirtualTime;
  readonly #faults: WireFaults;
  readonly #subscribers = new Set<MarketHandlers>();

  constructor(time: VirtualTime, faults: WireFaults) {
    this.#time = time;
    this.#faults = faults;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  candle(body: CandleBody): void {
    this.#send((handlers) => handlers.onCandle(body));
  }

  heartbeat(body: HeartbeatBody): void {
    this.#send((handlers) => handlers.onHeartbeat(body));
  }

  subscription(): MarketSubscription {
    let mine: MarketHandlers | null = null;
    let stopped = false;
    return {
      start: async (handlers) => {
        mine = handlers;
        this.#time.after(this.#faults.joinMs(), () => {
          if (!stopped) this.#subscribers.add(handlers);
        });
      },
      stop: async () => {
        stopped = true;
        if (mine) this.#subscribers.delete(mine);
      },
      counters: () => ({ "malformed.total": 0 }),
    };
  }

  #send(deliver: (handlers: MarketHandlers) => void): void {
    for (const handlers of this.#subscribers) {
      if (this.isCut || this.#faults.drops()) continue;
      for (let copies = this.#faults.repeats() ? 2 : 1; copies > 0; copies--) {
        const arrive = () => {
          if (this.#subscribers.has(handlers)) deliver(handlers);
        };
        const delayMs = this.#faults.delayMs();
        if (delayMs === 0) arrive();
        else this.#time.after(delayMs, arrive);
      }
    }
  }
}
