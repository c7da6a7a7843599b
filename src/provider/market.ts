import type { CandleBody, HeartbeatBody } from "../core/wire.ts";

/** What the fast rail hands over. Called from the event loop; must not throw, and return at once. */
export interface MarketHandlers {
  onCandle(body: CandleBody): void;
  onHeartbeat(body: HeartbeatBody): void;
  /** For people only: connection life never decides what is delivered. */
  onStatus?(status: string): void;
}

/** The fast rail: it may drop, repeat, delay and reorder what it likes; each body it hands over was parsed in full. */
export interface MarketSubscription {
  /** Resolves once subscribed or on the way to it; what is published before a subscription takes effect may be missed. */
  start(handlers: MarketHandlers): Promise<void>;
  /** No handler is called after it resolves. Bounded, idempotent. */
  stop(): Promise<void>;
  /** Totals by dotted name, for example malformed.total. */
  counters(): Readonly<Record<string, number>>;
}
