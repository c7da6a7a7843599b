import type { Clock, OpenSocket, Random, Timer, Timers } from "../../core/env.ts";
import type { TradesFrame, Venue, VenueClockReading, VenueFrame } from "../venues/contract.ts";
import { QuietProof } from "./quiet-proof.ts";
import { Session } from "./session.ts";
import { StaleWatch } from "./stale-watch.ts";
import type { SymbolEar } from "./symbol-ear.ts";
import type { VenueClock } from "./venue-clock.ts";

const TICK_MS = 50;
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

/**
 * Keeps a session alive for some symbols, from `start` to `stop`: proves a quiet minute by asking, finds a dead feed, and after a loss
 * connects again with a delay of 250 ms doubling to 10 s, of which up to a half is left out by chance. Where a close is announced or
 * due, a second session is subscribed first; then the old one is probed, and with its answer, which overtakes no trade, it is let go.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #deps: ConnectionDeps;
  readonly #sink: ConnectionSink;
  readonly #idsCount: boolean;
  readonly #ears: ReadonlyMap<string, SymbolEar>;
  readonly #watch: StaleWatch;
  readonly #proof: QuietProof;
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
    this.#proof = new QuietProof(options, deps, (told, allRead) => sink.onQuiet(told, allRead));
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
    return this.#proof.unreadable;
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
        if (!this.#sink.onTrades(frame, repeats)) this.#proof.unreadable++;
        else this.#proof.heard(frame.trades.at(-1)?.timeMs ?? 0);
      },
      onFrame: (frame) => {
        if (!this.#sink.onFrame(frame)) this.#proof.unreadable++;
        if (frame.type === "closing" && session === this.#session) this.#wantOverlap();
      },
      onLost: (reason) => {
        this.#proof.unreadable++;
        this.#sink.onLost(reason);
      },
      onSubscribed: () => this.#onSubscribed(session),
      onRefused: (symbols, reason) => this.#onRefused(session, symbols, reason),
      onProbed: () => {
        if (this.#handover === "asked") this.#replace();
        else this.#proof.answered();
      },
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
    this.#proof.begin();
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
    this.#proof.yield();
    if (this.#connectedAt === null) return;
    this.#connectedAt = null;
    this.#sink.onInterrupted(reason);
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
    } else this.#proof.tick(this.#session, now);
  }

  /** The old session is asked once the new one is subscribed: what it still had to tell comes before its answer. */
  #handOver(session: Session, now: number): void {
    if (this.#handover !== "wanted" || !session.isFree(now)) return;
    this.#handover = "asked";
    this.#proof.yield();
    session.probe(now);
  }
}
