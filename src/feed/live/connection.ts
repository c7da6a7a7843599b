import type { Clock, OpenSocket, Random, Timer, Timers } from "../../core/env.ts";
import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import type { TradesFrame, Venue, VenueClockReading, VenueFrame } from "../venues/contract.ts";
import { Session } from "./session.ts";
import { StaleWatch } from "./stale-watch.ts";
import type { SymbolEar } from "./symbol-ear.ts";
import type { VenueClock } from "./venue-clock.ts";

const TICK_MS = 50;
/** Between two questions to a venue that does not tell its time. */
const UNTOLD_SPACING_MS = 1000;
/** Between two quiet proofs, where the venue would take more messages. */
const PROBE_SPACING_MS = 250;
const BACKOFF_MS = 250;
const BACKOFF_MAX_MS = 10_000;
/** A connection that lived shorter than this does not end the growth of the delay. */
const LIVED_MS = 1000;
/** Before the venue closes a connection for its age; and as much again by chance. */
const BEFORE_CLOSE_MS = 600_000;
/** Connections that are told to close at once do not all come back at once. */
const OVERLAP_WITHIN_MS = 1000;

export interface ConnectionOptions {
  readonly venue: Venue;
  readonly url: string;
  readonly symbols: readonly string[];
  /** Wall ms without any frame before the venue is asked for a sign of life, and without a trade before it is looked up. */
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
  askTime(): Promise<VenueClockReading | null>;
  /** The time of a symbol's newest trade by REST; null where that cannot be told. */
  newestTradeMs(symbol: string): Promise<number | null>;
}

export interface ConnectionSink {
  /** False where some of it cannot be believed. `repeats`: symbols whose next row may be one of before the subscription. */
  onTrades(frame: TradesFrame, repeats: Set<string> | null): boolean;
  /** False where it may have been a trade that cannot be read. */
  onFrame(frame: Exclude<VenueFrame, TradesFrame>): boolean;
  /** Messages were lost on the way. */
  onLost(reason: string): void;
  /** Every symbol is subscribed or refused. */
  onConnected(): void;
  /** `allRead`: nothing unreadable has come since that time was asked for. */
  onQuiet(told: VenueClockReading, allRead: boolean): void;
  /** Only after onConnected. */
  onInterrupted(reason: string): void;
  onRefused(symbols: readonly string[], reason: string): void;
  /** An attempt ended; the next one follows after `delayMs`. */
  onRetry(reason: string, delayMs: number): void;
  /** A new session took the place of one that was about to be closed, and nothing was lost between them. */
  onReplaced(): void;
}

/** The venue's own time, and how much unreadable had come when it was asked for. */
interface Told {
  readonly reading: VenueClockReading;
  readonly unreadable: number;
}

/**
 * Keeps a session alive for some symbols, from `start` to `stop`: proves a quiet minute by asking, finds a dead feed, and after a loss
 * connects again with a delay of 250 ms doubling to 10 s, of which up to a half is left out by chance. Where a close is announced or
 * due, a second session is subscribed first; then the old one is probed, and with its answer, which overtakes no trade, it is let go.
 *
 * The quiet proof: ask the venue for its time, then probe. The answer overtakes no trade, so once it is here nothing up to that
 * time is outstanding, however long the venue, the wire or we stood still meanwhile. Where the venue does not tell its time, the
 * answer is a sign of life and proves nothing.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #deps: ConnectionDeps;
  readonly #sink: ConnectionSink;
  readonly #idsCount: boolean;
  readonly #ears: ReadonlyMap<string, SymbolEar>;
  readonly #watch: StaleWatch;
  readonly #refused = new Set<string>();
  #session: Session | null = null;
  #successor: Session | null = null;
  #ticker: Timer | null = null;
  #retry: Timer | null = null;
  #stopped = true;
  #attempts = 0;
  #connectedAt: number | null = null;
  #connects = 0;
  /** Monotonic ms at which a second session is to be opened; null where none is wanted. */
  #overlapAt: number | null = null;
  /** The successor is subscribed: the old session's next answer ends it. */
  #handover: "wanted" | "asked" | null = null;
  #probing: "time" | "answer" | null = null;
  #told: Told | null = null;
  #nextProbeAt = Number.NEGATIVE_INFINITY;
  #unreadable = 0;
  /** Exchange time up to which the watermark is known to have come. */
  #provenMs = Number.NEGATIVE_INFINITY;

  constructor(
    options: ConnectionOptions,
    ears: ReadonlyMap<string, SymbolEar>,
    deps: ConnectionDeps,
    sink: ConnectionSink,
  ) {
    this.#options = options;
    this.#deps = deps;
    this.#sink = sink;
    this.#ears = ears;
    this.#idsCount = options.venue.tradeIds !== "none";
    this.#watch = new StaleWatch(options.staleAfterMs, deps);
  }

  /** How often it was connected and subscribed: another number is another connection. */
  get connects(): number {
    return this.#connects;
  }

  get connected(): boolean {
    return this.#connectedAt !== null;
  }

  /** Messages so far that could not be read or believed, or were lost. */
  get unreadable(): number {
    return this.#unreadable;
  }

  get lookups(): number {
    return this.#watch.lookups;
  }

  /** Those that the venue did not refuse. */
  get symbols(): readonly string[] {
    return this.#options.symbols.filter((symbol) => !this.#refused.has(symbol));
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
    this.#successor?.close();
    this.#successor = null;
    this.#session?.close();
    this.#lost("stopped");
  }

  /** The venue's clock was told after `onConnected`: whatever is traded after this is to be heard. */
  heardSince(exchangeTimeMs: number): void {
    this.#watch.heardSince(exchangeTimeMs);
  }

  #connect(): void {
    this.#retry = null;
    this.#session = this.#newSession();
  }

  #newSession(): Session {
    const { venue, url } = this.#options;
    const repeats = venue.repeatsLastTrade ? new Set(this.symbols) : null;
    const session: Session = new Session({ venue, url, symbols: this.symbols }, this.#deps, {
      onTrades: (frame) => {
        // Without ids the same trade of both sessions would count twice.
        if (session !== this.#session && !this.#idsCount) return;
        if (!this.#sink.onTrades(frame, repeats)) this.#unreadable++;
        else this.#proven(frame.trades.at(-1)?.timeMs ?? 0);
      },
      onFrame: (frame) => {
        if (!this.#sink.onFrame(frame)) this.#unreadable++;
        if (frame.type === "closing" && session === this.#session) this.#wantOverlap();
      },
      onLost: (reason) => {
        this.#unreadable++;
        this.#sink.onLost(reason);
      },
      onSubscribed: () => this.#onSubscribed(session),
      onRefused: (symbols, reason) => this.#onRefused(session, symbols, reason),
      onProbed: () => this.#onProbed(),
      onEnded: (reason) => this.#onEnded(session, reason),
    });
    session.open();
    return session;
  }

  #onSubscribed(session: Session): void {
    if (session === this.#session) this.#onConnected();
    else this.#handover = "wanted";
  }

  #onConnected(): void {
    const now = this.#deps.clock.monotonicMs();
    this.#connectedAt = now;
    this.#connects++;
    this.#probing = null;
    this.#told = null;
    this.#provenMs = Number.NEGATIVE_INFINITY;
    this.#watch.begin(now);
    this.#overlapAt = this.#dueOverlap();
    this.#sink.onConnected();
  }

  /** When the venue's own limit of a connection's age is near. */
  #dueOverlap(): number | null {
    const { closesAfterMs } = this.#options.venue;
    if (closesAfterMs === null || this.#session === null) return null;
    return this.#session.openedAt + closesAfterMs - BEFORE_CLOSE_MS * (1 + this.#deps.random.next());
  }

  #wantOverlap(): void {
    const at = this.#deps.clock.monotonicMs() + this.#deps.random.next() * OVERLAP_WITHIN_MS;
    this.#overlapAt = Math.min(this.#overlapAt ?? at, at);
  }

  #onRefused(session: Session, symbols: readonly string[], reason: string): void {
    for (const symbol of symbols) this.#refused.add(symbol);
    this.#sink.onRefused(symbols, reason);
    if (this.symbols.length > 0) return;
    session.close();
    this.stop();
  }

  #onEnded(session: Session, reason: string): void {
    if (session === this.#successor) {
      this.#successor = null;
      this.#handover = null;
      const delayMs = this.#delay();
      this.#overlapAt = this.#deps.clock.monotonicMs() + delayMs;
      this.#sink.onRetry(reason, delayMs);
      return;
    }
    const livedMs = this.#connectedAt === null ? 0 : this.#deps.clock.monotonicMs() - this.#connectedAt;
    if (livedMs >= LIVED_MS) this.#attempts = 0;
    const next = this.#successor;
    this.#lost(reason);
    if (this.#stopped) return;
    if (next === null) {
      const delayMs = this.#delay();
      this.#retry = this.#deps.timers.after(delayMs, () => this.#connect());
      this.#sink.onRetry(reason, delayMs);
      return;
    }
    // The successor takes over at once, though what came between them may be lost.
    this.#successor = null;
    this.#session = next;
    this.#sink.onRetry(reason, 0);
    if (next.subscribed) this.#onConnected();
  }

  #delay(): number {
    const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(this.#attempts++, 16));
    return full * (0.5 + this.#deps.random.next() / 2);
  }

  #lost(reason: string): void {
    this.#session = null;
    this.#handover = null;
    this.#overlapAt = null;
    this.#probing = null;
    this.#told = null;
    if (this.#connectedAt === null) return;
    this.#connectedAt = null;
    this.#sink.onInterrupted(reason);
  }

  #onProbed(): void {
    if (this.#handover === "asked") {
      this.#replace();
      return;
    }
    this.#probing = null;
    const told = this.#told;
    this.#told = null;
    if (told === null) return;
    const { timeMs, precisionMs } = told.reading;
    const quietMs = timeMs - this.#options.venue.probe.gathersMs;
    if (quietMs <= this.#provenMs) return;
    this.#provenMs = quietMs;
    this.#sink.onQuiet({ timeMs: quietMs, precisionMs }, told.unreadable === this.#unreadable);
  }

  #replace(): void {
    const next = this.#successor;
    if (next === null) return;
    this.#session?.close();
    this.#session = next;
    this.#successor = null;
    this.#handover = null;
    this.#overlapAt = this.#dueOverlap();
    this.#sink.onReplaced();
  }

  #tick(): void {
    const now = this.#deps.clock.monotonicMs();
    this.#successor?.tick(now);
    this.#session?.tick(now);
    if (this.#session === null || this.#connectedAt === null) return;
    const dead = this.#watch.tick(now, this.#ears.values());
    if (dead !== null) {
      this.#session.close();
      this.#onEnded(this.#session, `the feed is dead: ${dead}`);
    } else if (this.#handover !== null) this.#handOver(this.#session, now);
    else if (this.#overlapAt !== null && now >= this.#overlapAt && this.#successor === null) {
      this.#successor = this.#newSession();
    } else this.#prove(this.#session, now);
  }

  /** The old session is asked once the new one is subscribed: what it still had to tell comes before its answer. */
  #handOver(session: Session, now: number): void {
    if (this.#handover !== "wanted" || this.#probing === "answer" || !session.isFree(now)) return;
    this.#handover = "asked";
    this.#probing = null;
    this.#told = null;
    session.probe(now);
  }

  #prove(session: Session, now: number): void {
    if (this.#probing === null && this.#wantsProbe(session, now)) this.#ask(session, now);
    if (this.#probing !== "time" || this.#told === null || !session.isFree(now)) return;
    this.#probing = "answer";
    session.probe(now);
  }

  /** A minute's end has passed on the venue's clock and nothing heard says so, or nothing at all was heard for long. */
  #wantsProbe(session: Session, now: number): boolean {
    if (now < this.#nextProbeAt || !session.isFree(now)) return false;
    if (now - session.lastFrameAt > this.#options.staleAfterMs) return true;
    const venueMs = this.#deps.venueClock.now();
    if (venueMs === null) return false;
    const late = this.#options.lateAllowanceMs;
    return minuteOf(venueMs - late) > minuteOf(Math.max(this.#provenMs, venueMs - 10 * MINUTE_MS) - late);
  }

  #ask(session: Session, now: number): void {
    this.#probing = "time";
    this.#nextProbeAt = now + PROBE_SPACING_MS;
    const unreadable = this.#unreadable;
    const { connects } = this;
    void this.#deps.askTime().then((reading) => {
      if (this.#connects !== connects || this.#session !== session || this.#probing !== "time") return;
      const at = this.#deps.clock.monotonicMs();
      if (reading === null) this.#nextProbeAt = at + UNTOLD_SPACING_MS;
      this.#told = reading === null ? null : { reading, unreadable };
      // Untold, it is a sign of life only.
      if (reading !== null && this.#handover === null) this.#prove(session, at);
      else if (reading === null && session.isFree(at)) {
        this.#probing = "answer";
        session.probe(at);
      } else if (reading === null) this.#probing = null;
    });
  }

  #proven(timeMs: number): void {
    if (timeMs > this.#provenMs) this.#provenMs = timeMs;
  }
}
