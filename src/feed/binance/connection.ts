import type { Clock, OpenSocket, Random, Socket, Timer, Timers } from "../../core/env.ts";
import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import type { Frame } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import type { VenueClock } from "./venue-clock.ts";

/** Binance's limits: 1,024 streams a connection, 5 messages a second from us; 200 streams a message is our own. */
export const MAX_STREAMS = 1024;
const STREAMS_PER_MESSAGE = 200;
const SEND_SPACING_MS = 250;
const TICK_MS = 50;
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 5000;
/** Between two questions to a venue that does not tell its time. */
const UNTOLD_SPACING_MS = 1000;
const BACKOFF_MS = 250;
const BACKOFF_MAX_MS = 10_000;

export interface ConnectionOptions {
  readonly url: string;
  readonly symbols: readonly string[];
  /** Wall ms without any frame before the venue is asked for a sign of life. */
  readonly staleAfterMs: number;
  /** Exchange ms past a minute's end after which silence is worth a question. */
  readonly lateAllowanceMs: number;
}

export interface ConnectionDeps {
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly venueClock: VenueClock;
  /** The venue's own clock, asked now; null where it does not answer. */
  askTime(): Promise<number | null>;
}

export interface ConnectionSink {
  /** False where the frame cannot be read or believed: it may have been a trade. */
  onFrame(frame: Frame): boolean;
  /** Every stream is acknowledged. */
  onConnected(): void;
  /** `allRead`: nothing unreadable has come since that time was asked for. */
  onQuiet(exchangeTimeMs: number, allRead: boolean): void;
  /** Only after onConnected. */
  onInterrupted(reason: string): void;
  /** The venue refused these symbols' streams: trying again cannot help. */
  onRejected(symbols: readonly string[], reason: string): void;
  /** An attempt ended; the next one follows after `delayMs`. */
  onRetry(reason: string, delayMs: number): void;
}

type Request =
  | { readonly kind: "subscribe"; readonly symbols: readonly string[]; readonly sentAt: number }
  | { readonly kind: "probe"; readonly told: Told | null; readonly sentAt: number };

/** The venue's own time, and how much unreadable had come when it was asked for. */
interface Told {
  readonly exchangeTimeMs: number;
  readonly unreadable: number;
}

/**
 * One WebSocket that carries the trade streams of some symbols, for as long as `start` to `stop`: subscribes, checks each
 * answer, proves a quiet minute by asking, and after a loss or silence connects again with a delay of 250 ms doubling to
 * 10 s, of which up to a half is left out by chance.
 *
 * The quiet proof: ask the venue for its time, then for our streams (LIST_SUBSCRIPTIONS). Its answer overtakes no trade, so
 * once it is here, nothing up to that time is outstanding, however long the venue, the wire or we stood still meanwhile.
 * Where it does not tell its time, the answer is a sign of life and proves nothing.
 */
export class BinanceConnection {
  readonly #options: ConnectionOptions;
  readonly #deps: ConnectionDeps;
  readonly #sink: ConnectionSink;
  readonly #reader = new FrameReader();
  #socket: Socket | null = null;
  #ticker: Timer | null = null;
  #retry: Timer | null = null;
  #stopped = true;
  #attempts = 0;
  #open = false;
  #connected = false;
  #connects = 0;
  #openedAt = 0;
  #lastFrameAt = 0;
  #lastSentAt = Number.NEGATIVE_INFINITY;
  #nextId = 1;
  #unsent: (readonly string[])[] = [];
  #requests = new Map<number, Request>();
  #probing = false;
  #nextProbeAt = Number.NEGATIVE_INFINITY;
  #unreadable = 0;
  /** Exchange time up to which the watermark is known to have come. */
  #provenMs = Number.NEGATIVE_INFINITY;

  constructor(options: ConnectionOptions, deps: ConnectionDeps, sink: ConnectionSink) {
    this.#options = options;
    this.#deps = deps;
    this.#sink = sink;
  }

  /** How often it was connected and subscribed: another number is another connection. */
  get connects(): number {
    return this.#connects;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Frames so far that could not be read or believed. */
  get unreadable(): number {
    return this.#unreadable;
  }

  get symbols(): readonly string[] {
    return this.#options.symbols;
  }

  start(): void {
    this.#stopped = false;
    this.#ticker = this.#deps.timers.every(TICK_MS, () => this.#tick());
    this.#connect();
  }

  /** Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#ticker?.cancel();
    this.#retry?.cancel();
    this.#retry = null;
    this.#lose("stopped");
  }

  #connect(): void {
    this.#retry = null;
    this.#open = false;
    this.#openedAt = this.#deps.clock.monotonicMs();
    this.#requests.clear();
    this.#probing = false;
    this.#provenMs = Number.NEGATIVE_INFINITY;
    this.#unsent = batches(this.#options.symbols);
    const socket: Socket = this.#deps.openSocket(this.#options.url, {
      onOpen: () => {
        if (this.#socket !== socket) return;
        this.#open = true;
        this.#lastFrameAt = this.#deps.clock.monotonicMs();
        this.#sendNext();
      },
      onMessage: (text) => {
        if (this.#socket === socket) this.#onMessage(text);
      },
      onClose: (reason) => {
        if (this.#socket === socket) this.#lose(reason);
      },
    });
    this.#socket = socket;
  }

  #onMessage(text: string): void {
    const frame = this.#reader.read(text);
    this.#lastFrameAt = this.#deps.clock.monotonicMs();
    if (frame.type === "reply") this.#onReply(frame);
    else if (!this.#sink.onFrame(frame)) this.#unreadable++;
    else if (frame.type === "trade" && frame.trade.timeMs > this.#provenMs) this.#provenMs = frame.trade.timeMs;
  }

  #onReply(frame: Frame & { readonly type: "reply" }): void {
    const request = frame.id === null ? undefined : this.#requests.get(frame.id);
    if (request === undefined) {
      if (frame.error !== null) this.#lose(`the venue refused a request: ${frame.error}`);
      return;
    }
    this.#requests.delete(frame.id ?? 0);
    if (request.kind === "probe") this.#onProbed(request.told, frame);
    else if (frame.error !== null) this.#sink.onRejected(request.symbols, frame.error);
    else if (this.#unsent.length === 0 && this.#requests.size === 0) {
      this.#connected = true;
      this.#connects++;
      this.#attempts = 0;
      this.#sink.onConnected();
    }
  }

  #onProbed(told: Told | null, frame: Frame & { readonly type: "reply" }): void {
    this.#probing = false;
    const missing = this.#missingFrom(frame.result);
    if (frame.error !== null) this.#lose(`the venue refused to list our streams: ${frame.error}`);
    else if (missing !== undefined) this.#lose(`the venue no longer sends us ${missing}`);
    else if (told !== null && told.exchangeTimeMs > this.#provenMs) {
      this.#provenMs = told.exchangeTimeMs;
      this.#sink.onQuiet(told.exchangeTimeMs, told.unreadable === this.#unreadable);
    }
  }

  /** The first of our symbols that the venue's list of our streams lacks. */
  #missingFrom(result: unknown): string | undefined {
    if (!Array.isArray(result)) return undefined;
    const streams = new Set<unknown>(result);
    return this.#options.symbols.find((symbol) => !streams.has(streamOf(symbol)));
  }

  #tick(): void {
    if (this.#socket === null) return;
    const now = this.#deps.clock.monotonicMs();
    const fault = this.#faultAt(now);
    if (fault !== null) this.#lose(fault);
    else if (this.#open && this.#unsent.length > 0) this.#sendNext();
    else if (this.#connected && !this.#probing && this.#wantsProbe(now)) this.#probe(now);
  }

  /** Why this connection is of no use any more, or null. */
  #faultAt(now: number): string | null {
    if (!this.#connected && now - this.#openedAt > CONNECT_TIMEOUT_MS) return "not connected and subscribed in time";
    for (const { sentAt } of this.#requests.values()) {
      if (now - Math.max(sentAt, this.#lastFrameAt) > ANSWER_TIMEOUT_MS) return "the venue does not answer";
    }
    return null;
  }

  /** A minute's end has passed on the venue's clock and nothing heard says so, or nothing at all was heard for long. */
  #wantsProbe(now: number): boolean {
    if (now - this.#lastSentAt < SEND_SPACING_MS || now < this.#nextProbeAt) return false;
    if (now - this.#lastFrameAt > this.#options.staleAfterMs) return true;
    const venueMs = this.#deps.venueClock.now();
    if (venueMs === null) return false;
    const late = this.#options.lateAllowanceMs;
    return minuteOf(venueMs - late) > minuteOf(Math.max(this.#provenMs, venueMs - 10 * MINUTE_MS) - late);
  }

  #probe(now: number): void {
    this.#probing = true;
    // Counts as sent already: at most four probes a second whatever the venue's answers take.
    this.#lastSentAt = now;
    const socket = this.#socket;
    const unreadable = this.#unreadable;
    void this.#deps.askTime().then((exchangeTimeMs) => {
      if (this.#socket !== socket) return;
      const sentAt = this.#deps.clock.monotonicMs();
      if (exchangeTimeMs === null) this.#nextProbeAt = sentAt + UNTOLD_SPACING_MS;
      const told = exchangeTimeMs === null ? null : { exchangeTimeMs, unreadable };
      this.#send("LIST_SUBSCRIPTIONS", null, { kind: "probe", told, sentAt });
    });
  }

  #sendNext(): void {
    const now = this.#deps.clock.monotonicMs();
    if (now - this.#lastSentAt < SEND_SPACING_MS) return;
    const symbols = this.#unsent.shift();
    if (symbols !== undefined) {
      this.#send("SUBSCRIBE", symbols.map(streamOf), { kind: "subscribe", symbols, sentAt: now });
    }
  }

  #send(method: string, params: readonly string[] | null, request: Request): void {
    const id = this.#nextId++;
    this.#requests.set(id, request);
    this.#lastSentAt = request.sentAt;
    this.#socket?.send(JSON.stringify(params === null ? { method, id } : { method, params, id }));
  }

  /** Gives this connection up; a fresh one follows unless stopped. */
  #lose(reason: string): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#open = false;
    socket?.close();
    if (this.#connected) {
      this.#connected = false;
      this.#sink.onInterrupted(reason);
    }
    if (this.#stopped || this.#retry !== null) return;
    const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(this.#attempts++, 16));
    const delayMs = full * (0.5 + this.#deps.random.next() / 2);
    this.#retry = this.#deps.timers.after(delayMs, () => this.#connect());
    this.#sink.onRetry(reason, delayMs);
  }
}

function streamOf(symbol: string): string {
  return `${symbol.toLowerCase()}@trade`;
}

function batches(symbols: readonly string[]): (readonly string[])[] {
  const all: (readonly string[])[] = [];
  for (let at = 0; at < symbols.length; at += STREAMS_PER_MESSAGE)
    all.push(symbols.slice(at, at + STREAMS_PER_MESSAGE));
  return all;
}
