/**
 * libzmq as fabric uses it: PUB and SUB, one frame a message, bytes only. Two backends keep this contract, chosen by the
 * `#zmq-backend` package condition: libzmq through bun:ffi (receiving in a Worker), and libzmq through Deno.dlopen
 * (receiving in a non-blocking poll). Both load the C library inside the zeromq package's native file.
 */

/** Largest frame sent or delivered, in bytes. Larger ones are counted (`oversize`) and skipped, never fatal. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;

/**
 * ZMQ_MAXMSGSIZE of every subscriber, in bytes. A frame between MAX_FRAME_BYTES and this is counted and skipped; a peer
 * that sends one still larger is disconnected by libzmq before the frame is held in memory.
 */
export const MAX_PEER_FRAME_BYTES = 64 * 1024 * 1024;

/** CURVE keys, Z85 text of 40 characters. */
export type CurveOptions =
  | { readonly server: { readonly secretKey: string } }
  | { readonly client: { readonly serverKey: string; readonly publicKey: string; readonly secretKey: string } };

export interface Endpoint {
  /** tcp://host:port (port 0 or * binds a free one), ipc://path (at most 107 bytes) or inproc://name. */
  readonly address: string;
  readonly how: "bind" | "connect";
}

export interface PubSocketOptions {
  readonly endpoints: readonly Endpoint[];
  /** ZMQ_SNDHWM, messages per subscriber, 1 or more. At it libzmq drops the newest for that subscriber, uncounted by it. */
  readonly sendHighWaterMark: number;
  readonly curve?: CurveOptions;
}

/** "again" is EAGAIN; "oversize" is above MAX_FRAME_BYTES and was not sent; "failed" is any other error, or closed. */
export type SendResult = "sent" | "again" | "oversize" | "failed";

export interface PubSocket {
  /** The real endpoints, in the order given, port 0 resolved (ZMQ_LAST_ENDPOINT). */
  readonly endpoints: readonly string[];
  /**
   * Hands one frame to libzmq without blocking (ZMQ_DONTWAIT); the bytes are copied before it returns. A string goes as
   * its UTF-8 bytes, encoded straight into the socket's own buffer. Never throws.
   */
  send(frame: Uint8Array | string): SendResult;
  /** The C error text of the newest "failed", else null. */
  readonly lastError: string | null;
  /**
   * Binds anew every bound ipc address whose socket file was deleted or replaced; gives those addresses. What is connected stays
   * connected; what was not can connect again. Binding takes a path from whoever uses it: call it only while a lock says that the
   * path is ours. Throws FabricError "io" where a path cannot be bound now; the next call tries it again. Blocks for one stat a path.
   */
  rebindLost(): readonly string[];
  /** LINGER 0: what is unsent is dropped. Bounded, idempotent. */
  close(): void;
}

/** A subscription prefix in bytes as libzmq matches it; the empty one matches everything. */
export type Subscription = Uint8Array;

export interface SubSocketOptions {
  readonly endpoints: readonly Endpoint[];
  readonly subscriptions: readonly Subscription[];
  /** ZMQ_RCVHWM, messages per publisher, 1 or more. */
  readonly receiveHighWaterMark: number;
  /**
   * "socket" is ZMQ_CONFLATE: libzmq keeps one message per publisher whatever its topic, and the next one is taken only when
   * the consumer has had the last. "topic": the receiving thread keeps the newest per key and the socket drained. "off".
   */
  readonly conflate: "socket" | "topic" | "off";
  /**
   * With conflate "topic" the key is the topic; for topics that start with one of these, the topic and the body's `node`
   * (the first `"node":"…"` in it), because many nodes publish under one topic.
   */
  readonly keyByNode: readonly string[];
  /** Messages that may wait between the receiving thread and the consumer; beyond it the newest are dropped and counted. */
  readonly bufferMessages: number;
  /** The same in bytes. */
  readonly bufferBytes: number;
  /** ZMQ_RECONNECT_IVL and _MAX, ms. */
  readonly reconnectMs?: number;
  readonly reconnectMaxMs?: number;
  readonly curve?: CurveOptions;
}

/** Connection life is data. Endpoints as libzmq's monitor names them; inproc has no monitor events. */
export type ZmqStatus =
  | { readonly type: "connected"; readonly endpoint: string }
  | { readonly type: "disconnected"; readonly endpoint: string }
  | { readonly type: "retrying"; readonly endpoint: string; readonly delayMs: number }
  | { readonly type: "handshake-failed"; readonly endpoint: string; readonly reason: string }
  /** `dropped`: messages dropped between thread and consumer since the last such status; `total` since open. */
  | { readonly type: "overflow"; readonly dropped: number; readonly total: number }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "closed" };

/** Totals since open. */
export interface SubCounters {
  readonly received: number;
  readonly receivedBytes: number;
  readonly delivered: number;
  /** Dropped at the bound between the receiving thread and the consumer. */
  readonly dropped: number;
  /** Replaced by a newer one of the same key (conflate "topic"). */
  readonly conflated: number;
  readonly oversize: number;
  readonly empty: number;
  /** More than one frame, or no space after a topic. */
  readonly malformed: number;
  /** Statuses that a bounded ring lost because the consumer was away (oldest first). */
  readonly statusesLost: number;
}

/** Frames received together, oldest first. They share one buffer that is the consumer's own for as long as it holds any. */
export interface FrameBatch {
  readonly length: number;
  /** All frames, end to end: at most 256 KiB, or one frame more, except with conflate "topic". */
  readonly bytes: Uint8Array;
  /** Where frame `index` ends in `bytes`; the next one begins there. */
  end(index: number): number;
  /** A view of frame `index`, 0 to length - 1: at least one byte of topic, a space, the body. */
  frame(index: number): Uint8Array;
}

export interface SubSink {
  /**
   * Call `done` once when the next batch may come, now or later (two are out at a time, more where each is full, one with conflate "socket").
   * Until then the receiving thread gathers, and frames handed over still count toward bufferMessages and bufferBytes.
   */
  onFrames(batch: FrameBatch, done: () => void): void;
  onStatus(status: ZmqStatus): void;
}

export interface SubSocket {
  /** Real endpoints of those given at open, as for PubSocket. */
  readonly endpoints: readonly string[];
  /** Up to date at every call, also after close. */
  counters(): SubCounters;
  /** These four take effect in the receiving thread soon after; a C error becomes a "failed" status. No-ops once closed. */
  subscribe(subscription: Subscription): void;
  unsubscribe(subscription: Subscription): void;
  /** Throws FabricError "usage" for a malformed address. */
  connect(address: string): void;
  disconnect(address: string): void;
  /** Resolves once the thread has ended and every pointer is free: at most a second or so, whatever the state. Idempotent. */
  close(): Promise<void>;
}

export interface CurveKeyPair {
  readonly publicKey: string;
  readonly secretKey: string;
}

export interface ZmqBackend {
  readonly name: "bun-ffi" | "deno-ffi";
  /** libzmq's own version, for example 4.3.5. */
  version(): string;
  /** A fresh key pair (zmq_curve_keypair). */
  curveKeyPair(): CurveKeyPair;
  /** Throws FabricError: "usage" for a bad endpoint, "unavailable" where an address is in use, "io" for an ipc path. */
  openPublisher(options: PubSocketOptions): PubSocket;
  /** As openPublisher; resolves once bound or connecting and subscribed. */
  openSubscriber(options: SubSocketOptions, sink: SubSink): Promise<SubSocket>;
}
