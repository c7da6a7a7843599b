import type { Envelope } from "../core/wire.ts";
import { FAST_SYMBOLS_BOUND } from "./options.ts";

/**
 * Messages that a publisher numbered and that never came: dropped at a high-water mark on the way, of which nothing else tells, or
 * sent while the connection was lost. What they held comes from the store. Topics beyond the bound are not looked at.
 */
export class MissedCount {
  readonly #newest = new Map<string, { readonly epoch: string; readonly seq: number }>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** A message has come. Repeats, and what a restarted publisher numbers anew, count as nothing missed. */
  note(topic: string, { epoch, seq }: Envelope): void {
    const newest = this.#newest.get(topic);
    if (newest === undefined && this.#newest.size >= FAST_SYMBOLS_BOUND) return;
    if (newest?.epoch === epoch) {
      if (seq <= newest.seq) return;
      this.#total += seq - newest.seq - 1;
    }
    this.#newest.set(topic, { epoch, seq });
  }
}
