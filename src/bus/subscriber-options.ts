import { FabricError } from "../core/errors.ts";
import { type Frame, TOPICS } from "../core/topic.ts";
import type { CurveOptions, SubSocketOptions, ZmqStatus } from "../zmq/contract.ts";
import { type BusEndpoints, listEndpoints } from "./endpoints.ts";

/** Every topic that starts with `prefix` (the empty one: all), or exactly `topic`. Neither holds a space. */
export type Filter = { readonly prefix: string } | { readonly topic: string };

export interface ZmqSubscriberOptions {
  readonly endpoints: BusEndpoints;
  readonly filters: readonly Filter[];
  /** ZMQ_RCVHWM, messages per publisher, 1 or more (100,000). The publisher drops the newest for us beyond it and its own. */
  readonly receiveHighWaterMark?: number;
  /** See SubSocketOptions. "off" where not given. */
  readonly conflate?: "socket" | "topic" | "off";
  /** Topic prefixes kept per topic and node with conflate "topic" (telemetry.metrics, telemetry.positions). */
  readonly keyByNode?: readonly string[];
  /** Messages between the receiving thread and the consumer (65,536); beyond it the newest are dropped and counted. */
  readonly bufferMessages?: number;
  /** The same in bytes (16 MiB). */
  readonly bufferBytes?: number;
  /** First and longest wait between connection attempts, ms (100, 2,000). */
  readonly reconnectMs?: number;
  readonly reconnectMaxMs?: number;
  readonly curve?: CurveOptions;
  /** Called per message, in order. Without this and `onMessages` the subscriber is read as an async iterable. */
  readonly onMessage?: (message: Frame) => void;
  /** Called with all messages received together, oldest first. */
  readonly onMessages?: (messages: readonly Frame[]) => void;
  readonly onStatus?: (status: ZmqStatus) => void;
}

export const SUBSCRIBER_DEFAULTS = {
  receiveHighWaterMark: 100_000,
  conflate: "off",
  keyByNode: [TOPICS.metrics, TOPICS.positions],
  bufferMessages: 65_536,
  bufferBytes: 16 * 1024 * 1024,
  reconnectMs: 100,
  reconnectMaxMs: 2000,
} as const;

/** The socket's options, defaults filled in. Throws FabricError "usage" for a filter with a space. */
export function socketOptions(options: ZmqSubscriberOptions): SubSocketOptions {
  const all = { ...SUBSCRIBER_DEFAULTS, ...options };
  return {
    endpoints: listEndpoints(options.endpoints),
    subscriptions: options.filters.map(subscriptionOf),
    receiveHighWaterMark: all.receiveHighWaterMark,
    conflate: all.conflate,
    keyByNode: all.keyByNode,
    bufferMessages: all.bufferMessages,
    bufferBytes: all.bufferBytes,
    reconnectMs: all.reconnectMs,
    reconnectMaxMs: all.reconnectMaxMs,
    ...(options.curve && { curve: options.curve }),
  };
}

/** A filter as libzmq matches it; an exact topic is the prefix that ends in the space behind it. */
export function subscriptionOf(filter: Filter): Uint8Array {
  const text = "topic" in filter ? filter.topic : filter.prefix;
  if (text.includes(" ")) throw new FabricError("usage", `Cannot subscribe to "${text}": topics have no spaces`);
  if ("topic" in filter && text === "") throw new FabricError("usage", "Cannot subscribe to an empty topic");
  return new TextEncoder().encode("topic" in filter ? `${text} ` : text);
}
