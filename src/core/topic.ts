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
} as const;

export function candleTopic(symbol: string): string {
  return TOPICS.candle + symbol;
}

const SPACE = 0x20;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The frame of a topic and its JSON body. */
export function encodeFrame(topic: string, body: string): Uint8Array {
  return encoder.encode(`${topic} ${body}`);
}

export interface Frame {
  readonly topic: string;
  /** JSON text, not yet parsed. */
  readonly body: string;
}

/** Splits a frame at its first space; null where there is none, the topic is empty, or the bytes are not UTF-8. */
export function decodeFrame(bytes: Uint8Array): Frame | null {
  const at = bytes.indexOf(SPACE);
  if (at <= 0) return null;
  try {
    return { topic: decoder.decode(bytes.subarray(0, at)), body: decoder.decode(bytes.subarray(at + 1)) };
  } catch {
    return null;
  }
}
