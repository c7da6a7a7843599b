import type { Mutation } from "./mutations.ts";

/** A case that went wrong: the product took what it must not take, or threw. */
export interface Failure {
  readonly index: number;
  readonly what: string;
}

/** What one child process found, as it tells its parent. */
export interface TallyReport {
  /** By kind of mutation, then by outcome. */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly failures: readonly Failure[];
  /** Facts for people: drops, restarts and the like. */
  readonly notes: Readonly<Record<string, number>>;
  /** Resident bytes at a quarter of the way and at the end, after a collection. */
  readonly rssBytes: readonly [atQuarter: number, atEnd: number];
  /** The first case that was not run. */
  readonly next: number;
}

/** Outcomes told apart; further ones are "refused: other". */
const MAX_OUTCOMES = 60;
const MAX_FAILURES = 20;
const PROGRESS_MS = 200;

/** Counts outcomes by kind of mutation, and tells how far the run is. */
export class Tally {
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #outcomes = new Set<string>();
  readonly #failures: Failure[] = [];
  readonly #notes: Record<string, number> = {};
  readonly #from: number;
  readonly #to: number;
  #next: number;
  #quarterBytes = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(from: number, to: number) {
    this.#from = from;
    this.#to = to;
    this.#next = from;
  }

  count(kind: Mutation, outcome: string): void {
    const named = this.#outcomes.has(outcome) || this.#outcomes.size < MAX_OUTCOMES ? outcome : "refused: other";
    this.#outcomes.add(named);
    const ofKind = this.#counts.get(kind) ?? new Map<string, number>();
    this.#counts.set(kind, ofKind.set(named, (ofKind.get(named) ?? 0) + 1));
  }

  note(name: string, by = 1): void {
    this.#notes[name] = (this.#notes[name] ?? 0) + by;
  }

  fail(index: number, what: string): void {
    if (this.#failures.length < MAX_FAILURES) this.#failures.push({ index, what: what.slice(0, 2000) });
  }

  /** What ended the run, before all else. */
  crash(what: string): void {
    this.#failures.unshift({ index: this.#next, what: what.slice(0, 2000) });
  }

  /** Case `index` comes next. With `always` it is told at once: for cases that may take the process down. */
  reached(index: number, always = false): void {
    this.#next = index;
    if (this.#quarterBytes === 0 && index >= this.#from + (this.#to - this.#from) / 4)
      this.#quarterBytes = settledRss();
    const now = performance.now();
    if (!always && now - this.#toldMs < PROGRESS_MS) return;
    this.#toldMs = now;
    process.stdout.write(`at ${index}\n`);
  }

  report(): TallyReport {
    return {
      counts: Object.fromEntries([...this.#counts].map(([kind, list]) => [kind, Object.fromEntries(list)])),
      failures: this.#failures,
      notes: this.#notes,
      rssBytes: [this.#quarterBytes, settledRss()],
      next: this.#next,
    };
  }
}

/** Why something was refused, without what differs from case to case. */
export function refusal(reason: string): string {
  const plain = reason
    .replace(/^(topic (?:is|names)) .*/s, "$1 another than the body")
    .replace(/^(details|values)\.[^:]*/, "$1.…")
    .replace(/: (Invalid \w+(?: \w+)?):?.*/s, ": $1")
    .replace(/(schema version) .*,/s, "$1,")
    .replace(/"[^"]*"?/g, "…")
    .replace(/[^\x20-\x7e]+/g, "…")
    .replace(/\d+(\.\d+)?/g, "N");
  return `refused: ${plain.length > 70 ? `${plain.slice(0, 70)}…` : plain}`;
}

function settledRss(): number {
  Bun.gc(true);
  return process.memoryUsage.rss();
}
