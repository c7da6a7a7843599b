import type { Timer, Timers } from "../core/env.ts";
import { SseClient } from "./sse-client.ts";
import { encodeComment, encodeEvent, encodeRetry, joinFrames } from "./sse-frame.ts";

export interface HubLimits {
  /** Clients at once; the next one is refused and counted. */
  readonly clients: number;
  /** Bytes a client may leave unread (beyond its first snapshot and one flush) before it is cut off and counted. */
  readonly clientBytes: number;
  /** Bytes sent to every client in one go; a burst above it goes out in several, so that readers get their turn. */
  readonly flushBytes: number;
  /** Bytes that may wait for the next flush; at the bound they go out at once. */
  readonly pendingBytes: number;
}

export const HUB_LIMITS: HubLimits = {
  clients: 2000,
  clientBytes: 1024 * 1024,
  flushBytes: 256 * 1024,
  pendingBytes: 8 * 1024 * 1024,
};

export interface HubTimes {
  /** Events wait this long for company: nodes publish in bursts, and one write per client is cheaper than many. */
  readonly flushMs: number;
  readonly heartbeatMs: number;
  /** What `retry:` tells browsers. */
  readonly retryMs: number;
}

export const HUB_TIMES: HubTimes = { flushMs: 5, heartbeatMs: 5000, retryMs: 1000 };

export interface HubDeps {
  readonly timers: Timers;
  /** Names this hub's life in event ids. */
  readonly epoch: string;
  /** The hub's own state: sent first on every connection and with each heartbeat, without an id. */
  greeting(): { readonly type: string; readonly data: unknown };
  readonly limits?: HubLimits;
  readonly times?: HubTimes;
}

export interface HubCounters {
  readonly clients: number;
  readonly events: number;
  /** Chunks handed to clients. */
  readonly sends: number;
  /** Clients cut off for not reading. */
  readonly cut: number;
  /** Clients refused at the limit. */
  readonly refused: number;
}

/** Between two slices of one burst, so that readers get their turn. */
const SLICE_GAP_MS = 1;

interface Retained {
  readonly seq: number;
  readonly type: string;
  /** Encodes on first use; the same bytes from then on. */
  frame(): Uint8Array;
}

/**
 * Sends events to many browsers: each event is encoded once and every client is handed the same bytes. The newest event per
 * key is retained, and is what a new client gets first, under its own id: ids rise from there on without hole or repeat.
 */
export class SseHub {
  readonly #deps: HubDeps;
  readonly #limits: HubLimits;
  readonly #times: HubTimes;
  readonly #clients = new Set<SseClient>();
  /** By seq: a key published again moves to the end. */
  readonly #retained = new Map<string, Retained>();
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #flushTimer: Timer | null = null;
  readonly #heartbeatTimer: Timer;
  #seq = 0;
  #sends = 0;
  #cut = 0;
  #refused = 0;
  #closed = false;

  constructor(deps: HubDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? HUB_LIMITS;
    this.#times = deps.times ?? HUB_TIMES;
    this.#heartbeatTimer = deps.timers.every(this.#times.heartbeatMs, () => this.#beat());
  }

  get counters(): HubCounters {
    return {
      clients: this.#clients.size,
      events: this.#seq,
      sends: this.#sends,
      cut: this.#cut,
      refused: this.#refused,
    };
  }

  /** The id of the newest event; `<epoch>-0` before the first. */
  get lastEventId(): string {
    return this.#id(this.#seq);
  }

  /**
   * Sends `data` to all and retains it under `key`. Where a new client needs more than the newest event (a log's whole ring),
   * `whole` gives it; it is asked at most once per event. Costs no encoding while nobody listens.
   */
  publish(type: string, key: string, data: unknown, whole?: () => unknown): void {
    if (this.#closed) return;
    const seq = ++this.#seq;
    const frame = once(() => encodeEvent(type, this.#id(seq), data));
    this.#retained.delete(key);
    this.#retained.set(key, {
      seq,
      type,
      frame: whole ? once(() => encodeEvent(type, this.#id(seq), whole())) : frame,
    });
    if (this.#clients.size > 0) this.#enqueue(frame());
  }

  /** Leaves what is retained under `key` out of later snapshots. */
  forget(key: string): void {
    this.#retained.delete(key);
  }

  /** A new client's byte stream; null at the client limit or after `close`. */
  connect(signal?: AbortSignal): ReadableStream<Uint8Array> | null {
    if (this.#closed || this.#clients.size >= this.#limits.clients) {
      this.#refused++;
      return null;
    }
    // What is pending goes to the others first: the new client has it in its snapshot and must not get it twice.
    this.#flushAll();
    const client: SseClient = new SseClient({
      limitBytes: this.#limits.clientBytes,
      greeting: [
        encodeRetry(this.#times.retryMs),
        this.#greeting(),
        ...[...this.#retained.values()].map((event) => event.frame()),
      ],
      onGone: () => this.#clients.delete(client),
    });
    this.#clients.add(client);
    signal?.addEventListener("abort", () => this.#drop(client, "the reader has gone"), { once: true });
    return client.stream;
  }

  /** Sends what waits, ends every stream in order and takes nobody any more. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#flushAll();
    this.#closed = true;
    this.#heartbeatTimer.cancel();
    for (const client of this.#clients) client.end();
    this.#clients.clear();
    this.#retained.clear();
  }

  #enqueue(frame: Uint8Array): void {
    this.#pending.push(frame);
    this.#pendingBytes += frame.byteLength;
    if (this.#pendingBytes > this.#limits.pendingBytes) this.#flushAll();
    else this.#scheduleFlush(this.#times.flushMs);
  }

  #scheduleFlush(delayMs: number): void {
    this.#flushTimer ??= this.#deps.timers.after(delayMs, () => {
      this.#flushTimer = null;
      this.#flushSome();
      if (this.#pending.length > 0) this.#scheduleFlush(SLICE_GAP_MS);
    });
  }

  #flushAll(): void {
    this.#flushTimer?.cancel();
    this.#flushTimer = null;
    while (this.#pending.length > 0) this.#flushSome();
  }

  /** Sends the oldest pending frames up to `flushBytes`, at least one, as one chunk. */
  #flushSome(): void {
    let bytes = 0;
    let count = 0;
    for (const frame of this.#pending) {
      if (count > 0 && bytes + frame.byteLength > this.#limits.flushBytes) break;
      bytes += frame.byteLength;
      count++;
    }
    const frames = this.#pending.splice(0, count);
    this.#pendingBytes -= bytes;
    if (frames.length > 0) this.#sendToAll(joinFrames(frames));
  }

  #sendToAll(chunk: Uint8Array): void {
    for (const client of this.#clients) {
      if (client.send(chunk)) this.#sends++;
      else if (this.#clients.delete(client)) this.#cut++;
    }
  }

  #beat(): void {
    if (this.#clients.size === 0) return;
    this.#flushAll();
    this.#sendToAll(joinFrames([encodeComment("beat"), this.#greeting()]));
  }

  #greeting(): Uint8Array {
    const { type, data } = this.#deps.greeting();
    return encodeEvent(type, null, data);
  }

  #drop(client: SseClient, reason: string): void {
    if (this.#clients.delete(client)) client.cut(reason);
  }

  #id(seq: number): string {
    return `${this.#deps.epoch}-${seq}`;
  }
}

function once(encode: () => Uint8Array): () => Uint8Array {
  let frame: Uint8Array | null = null;
  return () => {
    frame ??= encode();
    return frame;
  };
}
