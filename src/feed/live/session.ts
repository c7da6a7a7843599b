import type { Clock, OpenSocket, Socket } from "../../core/env.ts";
import type { SubscribeRequest, TradesFrame, Venue, VenueFrame } from "../venues/contract.ts";
import { isPassing } from "../venues/fields.ts";

const OPEN_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 5000;
/** An answer may queue behind trades that still come, but not for ever. */
const LATEST_ANSWER_MS = 30_000;
/** Requests beyond the first batches that refusals may cost: each refused symbol of a batch of n takes about 2 log2(n). */
const MORE_REQUESTS = 256;
/** Ids of probes and pings begin above those of subscriptions. */
const FIRST_PROBE_ID = 1_000_001;

export interface SessionDeps {
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
}

/** What a session tells. Nothing comes after `onEnded`, which comes once, but not after `close`. */
export interface SessionSink {
  onTrades(frame: TradesFrame): void;
  /** What is neither a trade nor an answer that was awaited. */
  onFrame(frame: Exclude<VenueFrame, TradesFrame>): void;
  /** Messages were lost on the way, as the venue's own numbers say: before the frame that shows it. */
  onLost(reason: string): void;
  /** Every symbol is subscribed or refused, and at least one is subscribed. */
  onSubscribed(): void;
  /** Told before `onSubscribed`. */
  onRefused(symbols: readonly string[], reason: string): void;
  /** The probe is answered, and every symbol is still subscribed as far as the answer tells. */
  onProbed(): void;
  onEnded(reason: string): void;
}

type UnderWay =
  | {
      readonly kind: "subscribe";
      readonly request: SubscribeRequest;
      /** Neither taken nor refused yet. */
      readonly waiting: Set<string>;
      sentAt: number;
      refused: boolean;
      /** Refusals of single symbols that named none. */
      nameless: number;
    }
  | { readonly kind: "probe" | "ping"; readonly id: number; readonly sentAt: number };

/**
 * One WebSocket from open to close: subscribes batch by batch within the venue's limits, one request under way at a time and
 * each bounded in time, finds out which symbols the venue refuses, keeps itself alive by the client's pings, and checks the
 * venue's numbering of messages where it has one. Its owner calls `tick` some times a second.
 */
export class Session {
  readonly #venue: Venue;
  readonly #url: string;
  readonly #clock: Clock;
  readonly #openSocket: OpenSocket;
  readonly #sink: SessionSink;
  readonly #reader: ReturnType<Venue["reader"]>;
  readonly #spacingMs: number;
  readonly #taken = new Set<string>();
  readonly #openedAt: number;
  #socket: Socket | null = null;
  #phase: "opening" | "subscribing" | "subscribed" | "ended" = "opening";
  #unsent: SubscribeRequest[];
  #underWay: UnderWay | null = null;
  #requestsLeft: number;
  #nextId = FIRST_PROBE_ID;
  #lastSentAt = Number.NEGATIVE_INFINITY;
  #lastPingAt: number;
  #lastFrameAt: number;
  #lastTradeAt = Number.NEGATIVE_INFINITY;
  #sequence: number | null = null;

  constructor(
    options: { readonly venue: Venue; readonly url: string; readonly symbols: readonly string[] },
    deps: SessionDeps,
    sink: SessionSink,
  ) {
    this.#venue = options.venue;
    this.#url = options.url;
    this.#clock = deps.clock;
    this.#openSocket = deps.openSocket;
    this.#sink = sink;
    this.#reader = options.venue.reader();
    this.#unsent = [...options.venue.subscribe(options.symbols)];
    this.#requestsLeft = this.#unsent.length + MORE_REQUESTS;
    // A quarter more than the limit's own spacing: arrivals may bunch.
    this.#spacingMs = 1250 / options.venue.limits.messagesPerSecond;
    this.#openedAt = deps.clock.monotonicMs();
    this.#lastPingAt = this.#openedAt;
    this.#lastFrameAt = this.#openedAt;
  }

  get subscribed(): boolean {
    return this.#phase === "subscribed";
  }

  /** Monotonic. */
  get openedAt(): number {
    return this.#openedAt;
  }

  get lastFrameAt(): number {
    return this.#lastFrameAt;
  }

  /** What the venue took. */
  get symbols(): readonly string[] {
    return [...this.#taken];
  }

  open(): void {
    this.#socket = this.#openSocket(this.#url, {
      onOpen: () => {
        if (this.#phase !== "opening") return;
        this.#phase = "subscribing";
        this.#lastFrameAt = this.#clock.monotonicMs();
        this.#sendNext(this.#lastFrameAt);
      },
      onMessage: (text) => {
        if (this.#phase !== "ended") this.#onMessage(text);
      },
      onClose: (reason) => this.#end(reason),
    });
  }

  /** Without a word to the sink. */
  close(): void {
    this.#phase = "ended";
    this.#socket?.close();
    this.#socket = null;
  }

  /** Whether a probe may be sent now. */
  isFree(now: number): boolean {
    return this.#phase === "subscribed" && this.#underWay === null && this.#isSpaced(now);
  }

  /** Only where free. */
  probe(now: number): void {
    const id = this.#nextId++;
    this.#underWay = { kind: "probe", id, sentAt: now };
    this.#send(this.#venue.probe.text(id), now);
  }

  tick(now: number): void {
    const fault = this.#faultAt(now);
    if (fault !== null) this.#end(fault);
    else if (this.#phase === "subscribing") this.#sendNext(now);
    else if (this.#phase === "subscribed") this.#ping(now);
  }

  #onMessage(text: string): void {
    const frame = this.#reader.read(text);
    this.#lastFrameAt = this.#clock.monotonicMs();
    if (frame.type === "trades") {
      this.#lastTradeAt = this.#lastFrameAt;
      if (frame.sequence !== undefined) this.#count(frame.sequence);
      this.#sink.onTrades(frame);
      return;
    }
    if ("sequence" in frame && frame.sequence !== undefined) this.#count(frame.sequence);
    this.#sink.onFrame(frame);
    if (this.#phase === "ended") return;
    if (frame.type === "ack" || frame.type === "pong") this.#onAnswer(frame);
    else if (frame.type === "rejected") this.#onRejected(frame);
  }

  #count(sequence: number): void {
    const before = this.#sequence;
    if (before !== null && sequence > before + 1)
      this.#sink.onLost(`the venue's messages jump from number ${before} to ${sequence}`);
    if (before === null || sequence > before) this.#sequence = sequence;
  }

  #onAnswer(frame: VenueFrame & { readonly type: "ack" | "pong" }): void {
    const underWay = this.#underWay;
    if (underWay === null) return;
    if (underWay.kind === "subscribe") {
      if (frame.type === "ack") this.#onAck(frame, underWay);
    } else if (underWay.kind === "ping") {
      if (frame.type === "pong") this.#underWay = null;
    } else if (this.#venue.probe.answers(frame, underWay.id)) {
      this.#underWay = null;
      const missing = frame.type === "ack" && this.#venue.probe.lists ? this.#missingFrom(frame.symbols) : undefined;
      if (missing === undefined) this.#sink.onProbed();
      else this.#end(`the venue no longer sends us ${missing}`);
    }
  }

  #missingFrom(listed: readonly string[]): string | undefined {
    const all = new Set(listed);
    for (const symbol of this.#taken) if (!all.has(symbol)) return symbol;
    return undefined;
  }

  #onAck(frame: VenueFrame & { readonly type: "ack" }, underWay: UnderWay & { readonly kind: "subscribe" }): void {
    const { request, waiting } = underWay;
    if (request.symbols.length === 0) {
      this.#answered();
      return;
    }
    const isById = frame.requestId !== null && frame.requestId === request.requestId;
    const took = frame.symbols.length > 0 ? frame.symbols : isById ? request.symbols : [];
    for (const symbol of took) if (waiting.delete(symbol)) this.#taken.add(symbol);
    underWay.sentAt = this.#lastFrameAt;
    if (frame.symbols.length > 0 && frame.requestId === null && this.#venue.probe.lists && waiting.size > 0) {
      // The answer lists all that we have: what it lacks was left out without a word.
      const left = [...waiting];
      waiting.clear();
      this.#sink.onRefused(left, "it is not among the subscriptions that the venue lists");
    }
    if (waiting.size === underWay.nameless) this.#settle(underWay, "refused");
  }

  #onRejected({ symbols, requestId, reason }: VenueFrame & { readonly type: "rejected" }): void {
    const underWay = this.#underWay;
    if (underWay?.kind === "probe" && requestId === underWay.id) {
      this.#end(`the venue refused to list our streams: ${reason}`);
      return;
    }
    const isOurs = underWay?.kind === "subscribe" && underWay.request.symbols.length > 0;
    if (!isOurs || (requestId !== null && requestId !== underWay.request.requestId)) {
      this.#end(`the venue refused a request: ${reason}`);
      return;
    }
    if (isPassing(reason)) {
      this.#end(`the venue refused to subscribe for now: ${reason}`);
      return;
    }
    const { waiting } = underWay;
    underWay.sentAt = this.#lastFrameAt;
    underWay.refused = true;
    const named = symbols.filter((symbol) => waiting.has(symbol));
    const refused = named.length > 0 ? named : waiting.size === 1 ? [...waiting] : [];
    for (const symbol of refused) waiting.delete(symbol);
    if (refused.length > 0) this.#sink.onRefused(refused, reason);
    else if (this.#venue.refuses === "symbol") underWay.nameless++;
    if (this.#phase === "ended") return;
    if (waiting.size === underWay.nameless) this.#settle(underWay, reason);
    else if (this.#venue.refuses === "symbol") return;
    else if (refused.length === 0) this.#again(halves([...waiting]), reason);
    else this.#again([[...waiting]], reason);
  }

  /** All answers are here. Where some refusals named nobody, each symbol that is left is asked for by itself. */
  #settle({ waiting }: UnderWay & { readonly kind: "subscribe" }, reason: string): void {
    if (waiting.size === 0) this.#answered();
    else
      this.#again(
        [...waiting].map((symbol) => [symbol]),
        reason,
      );
  }

  /** Asks for symbols whose request was refused because of others, or for a reason that names none. */
  #again(groups: readonly (readonly string[])[], reason: string): void {
    this.#underWay = null;
    this.#unsent.unshift(
      ...groups.flatMap((group) => this.#venue.subscribe(group)).filter(({ symbols }) => symbols.length > 0),
    );
    if (this.#requestsLeft < this.#unsent.length) this.#end(`the venue refuses our subscriptions: ${reason}`);
  }

  #answered(): void {
    this.#underWay = null;
    this.#sendNext(this.#lastFrameAt);
  }

  #sendNext(now: number): void {
    if (this.#phase !== "subscribing" || this.#underWay !== null) return;
    const request = this.#unsent[0];
    if (request === undefined) {
      if (this.#taken.size === 0) return;
      this.#phase = "subscribed";
      this.#sink.onSubscribed();
      return;
    }
    if (!this.#isSpaced(now)) return;
    this.#unsent.shift();
    this.#requestsLeft--;
    this.#underWay = {
      kind: "subscribe",
      request,
      waiting: new Set(request.symbols),
      sentAt: now,
      refused: false,
      nameless: 0,
    };
    this.#send(request.text, now);
  }

  #ping(now: number): void {
    const { from, text, everyMs } = this.#venue.ping;
    if (from !== "client" || text === null || now - this.#lastPingAt < everyMs || !this.isFree(now)) return;
    this.#lastPingAt = now;
    this.#underWay = { kind: "ping", id: 0, sentAt: now };
    this.#send(text, now);
  }

  /** Why this session is of no use any more, or null. */
  #faultAt(now: number): string | null {
    if (this.#phase === "opening" && now - this.#openedAt > OPEN_TIMEOUT_MS) return "not connected in time";
    const underWay = this.#underWay;
    if (underWay === null) return null;
    const waitedMs = now - Math.max(underWay.sentAt, this.#lastTradeAt);
    if (waitedMs <= ANSWER_TIMEOUT_MS && now - underWay.sentAt <= LATEST_ANSWER_MS) return null;
    if (underWay.kind !== "subscribe" || !underWay.refused) return "the venue does not answer";
    // A venue may drop the rest of a request with the symbol that it refuses: that rest is asked for anew, once.
    this.#again([[...underWay.waiting]], "no answer");
    return null;
  }

  #isSpaced(now: number): boolean {
    return now - this.#lastSentAt >= this.#spacingMs;
  }

  #send(text: string, now: number): void {
    this.#lastSentAt = now;
    this.#socket?.send(text);
  }

  #end(reason: string): void {
    if (this.#phase === "ended") return;
    this.close();
    this.#sink.onEnded(reason);
  }
}

function halves(symbols: readonly string[]): readonly (readonly string[])[] {
  const middle = Math.ceil(symbols.length / 2);
  return [symbols.slice(0, middle), symbols.slice(middle)];
}
