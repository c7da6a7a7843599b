import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import type { Clock, Log, LogFields, Timer, Timers } from "../../src/core/env.ts";
import type { Frame } from "../../src/core/topic.ts";
import { eventually } from "../support/eventually.ts";

/** A log that remembers its warnings. */
export class WarnLog implements Log {
  readonly warnings: { readonly message: string; readonly fields: LogFields }[] = [];

  debug(): void {}
  info(): void {}
  error(): void {}
  warn(message: string, fields: LogFields = {}): void {
    this.warnings.push({ message, fields });
  }
}

/** The real backend and clocks, with a log to look at. */
export function realDeps(): {
  readonly backend: typeof zmqBackend;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: WarnLog;
} {
  return { backend: zmqBackend, clock: platform.clock, timers: platform.timers, log: new WarnLog() };
}

/** Time that moves only when told, with its timers. */
export class ManualTime implements Clock, Timers {
  #nowMs = 1_000_000;
  readonly #pending = new Set<{ dueMs: number; readonly periodMs: number | null; readonly run: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add({ dueMs: this.#nowMs + delayMs, periodMs: null, run });
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#add({ dueMs: this.#nowMs + periodMs, periodMs, run });
  }

  /** Runs what becomes due, in steps of a millisecond. */
  advance(byMs: number): void {
    for (let step = 0; step < byMs; step++) {
      this.#nowMs++;
      for (const timer of [...this.#pending]) {
        if (timer.dueMs > this.#nowMs) continue;
        if (timer.periodMs === null) this.#pending.delete(timer);
        else timer.dueMs += timer.periodMs;
        timer.run();
      }
    }
  }

  get pending(): number {
    return this.#pending.size;
  }

  #add(timer: { dueMs: number; readonly periodMs: number | null; readonly run: () => void }): Timer {
    this.#pending.add(timer);
    return { cancel: () => this.#pending.delete(timer) };
  }
}

/** Publishes "warm" on a topic until `heard` has it: the subscription has then taken effect. */
export async function warm(
  publisher: { publish(topic: string, body: string): void },
  heard: readonly Frame[],
  topic: string,
): Promise<void> {
  await eventually(() => {
    publisher.publish(topic, "warm");
    return heard.some((message) => message.topic === topic && message.body === "warm");
  });
}
