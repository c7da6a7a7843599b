/**
 * One ZMQ frame a message: topic, one space (0x20), UTF-8 JSON. Topics never contain a space, so a subscription that ends in
 * one is exact.
 */
export const TOPICS = {
  candle: "market.candle.1m.",
  heartbeat: "market.heartbeat",
  metrics: "telemetry.metrics",
  positions: "telemetry.positions",
  health: "telemetry.health.",
  logs: "telemetry.logs.",
  scan: "telemetry.scan.",
  indicators: "telemetry.indicators.",
} as const;

export function candleTopic(symbol: string): string {
  return TOPICS.candle + symbol;
}

/** A received message, split at its first space. */
export interface Frame {
  readonly topic: string;
  /** JSON text, not yet parsed. */
  readonly body: string;
}
