import type { Clock, Timer, Timers } from "../core/env.ts";
import { POLL_RETRY_MIN_MS, type ProviderTimes } from "./options.ts";

/** Why the store is read. */
export type PollTrigger =
  | "join"
  | "hole"
  | "heartbeat"
  | "due"
  | "overdue"
  | "silence"
  | "safety"
  | "retry"
  | "overflow";

export type ReadOutcome<T> = { readonly value: T; readonly atMs: number } | { readonly error: unknown };

/**
 * When to read the store: at most one read at a time, polls at least `pollMinGapMs` apart, retries with doubling delays, and a
 * poll every `safetyPollMs` whatever happens. It says `wake` when there is something to start or to take.
 */
export class StorePoller<T> {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #times: ProviderTimes;
  readonly #wake: () => void;
  readonly #triggers = new Map<PollTrigger, number>();
  #outcome: ReadOutcome<T> | undefined;
  #reading = false;
  #wanted = false;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #retryMs = POLL_RETRY_MIN_MS;
  #safety: Timer | null = null;
  #retry: Timer | null = null;
  #gap: Timer | null = null;
  #isFailing = false;
  #polls = 0;
  #reads = 0;
  #closed = false;

  constructor(clock: Clock, timers: Timers, times: ProviderTimes, wake: () => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#times = times;
    this.#wake = wake;
  }

  open(): void {
    this.#safety = this.#timers.every(this.#times.safetyPollMs, () => this.request("safety"));
    this.request("join");
  }

  /** Asks for a poll. Requests made before it starts are one poll. */
  request(trigger: PollTrigger): void {
    if (this.#closed || (this.#isFailing && isLook(trigger))) return;
    this.#triggers.set(trigger, (this.#triggers.get(trigger) ?? 0) + 1);
    this.#wanted = true;
    this.#wake();
  }

  /** Asks again after a while: 5 ms, then twice as long each time, until `settle`. */
  retryLater(): void {
    if (this.#retry || this.#closed) return;
    const delayMs = Math.min(this.#retryMs, this.#times.pollRetryMaxMs);
    this.#retryMs = delayMs * 2;
    this.#retry = this.#timers.after(delayMs, () => {
      this.#retry = null;
      this.request("retry");
    });
  }

  /** Asks again as above; looks do not until then. */
  retryAfterFailure(): void {
    this.#isFailing = true;
    this.retryLater();
  }

  /** A poll came to the store's end. */
  worked(): void {
    this.#isFailing = false;
  }

  /** The store moved on: the next retry is a quick one again. */
  settle(): void {
    this.#retryMs = POLL_RETRY_MIN_MS;
  }

  /** Starts a poll where one was asked for, none runs and the last one is long enough ago. */
  startIfDue(read: () => Promise<T>): void {
    if (!this.#wanted || this.#reading || this.#outcome || this.#closed) return;
    const waitMs = this.#notBeforeMs - this.#clock.monotonicMs();
    if (waitMs > 0) {
      this.#gap ??= this.#timers.after(waitMs, () => {
        this.#gap = null;
        this.#wake();
      });
      return;
    }
    this.#wanted = false;
    this.#polls++;
    this.#notBeforeMs = this.#clock.monotonicMs() + this.#times.pollMinGapMs;
    this.continue(read);
  }

  /** Reads the next page of the running poll. */
  continue(read: () => Promise<T>): void {
    if (this.#closed) return;
    this.#reading = true;
    this.#reads++;
    const done = (outcome: ReadOutcome<T>) => {
      this.#reading = false;
      if (this.#closed) return;
      this.#outcome = outcome;
      this.#wake();
    };
    read().then(
      (value) => done({ value, atMs: this.#clock.monotonicMs() }),
      (error: unknown) => done({ error }),
    );
  }

  /** What the last read gave, once. */
  take(): ReadOutcome<T> | undefined {
    const outcome = this.#outcome;
    this.#outcome = undefined;
    return outcome;
  }

  counters(): Readonly<Record<string, number>> {
    const counters: Record<string, number> = { "polls.total": this.#polls, "reads.total": this.#reads };
    for (const [trigger, count] of this.#triggers) counters[`polls.asked.${trigger}.total`] = count;
    return counters;
  }

  close(): void {
    this.#closed = true;
    this.#safety?.cancel();
    this.#retry?.cancel();
    this.#gap?.cancel();
    this.#outcome = undefined;
  }
}

/** What only hopes to find something, with nothing to tell that it is there. */
function isLook(trigger: PollTrigger): boolean {
  return trigger === "overdue" || trigger === "silence";
}
