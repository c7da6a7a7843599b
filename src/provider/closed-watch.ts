import type { HeartbeatBody } from "../core/wire.ts";

/** What a heartbeat says the store holds. */
export interface Promised {
  readonly commitSeq: number;
  readonly closedThrough: number;
}

const NOTHING: Promised = { commitSeq: 0, closedThrough: Number.NEGATIVE_INFINITY };

/** What heartbeats promised (the highest of each, whatever the wire repeats or reorders) and what was found of it. */
export class ClosedWatch {
  #promised = NOTHING;
  #coveredThrough = Number.NEGATIVE_INFINITY;
  #overdue = NOTHING;
  #epoch: string | null = null;
  #seq = 0;
  #epochs = 0;

  get promised(): Promised {
    return this.#promised;
  }

  /** Each symbol's rows up to the minute that opens here were looked at: one without a row has a known gap. */
  get coveredThrough(): number {
    return this.#coveredThrough;
  }

  /** Promised, its grace has passed, and it was missing then. */
  get overdue(): Promised {
    return this.#overdue;
  }

  /** Publisher lives seen. */
  get epochs(): number {
    return this.#epochs;
  }

  /** False where the heartbeat is a repeat, or older than one seen of the same publisher's life. */
  observe(heartbeat: HeartbeatBody): boolean {
    if (heartbeat.epoch === this.#epoch && heartbeat.seq <= this.#seq) return false;
    if (heartbeat.epoch !== this.#epoch) this.#epochs++;
    this.#epoch = heartbeat.epoch;
    this.#seq = heartbeat.seq;
    this.#promised = {
      commitSeq: Math.max(this.#promised.commitSeq, heartbeat.commitSeq),
      closedThrough: Math.max(this.#promised.closedThrough, heartbeat.closedThrough ?? Number.NEGATIVE_INFINITY),
    };
    return true;
  }

  /** Every row up to `throughSeq` was looked at, and the store's state there says `closedThrough`. */
  cover(throughSeq: number, closedThrough: number | null): void {
    this.#coveredThrough = Math.max(this.#coveredThrough, closedThrough ?? Number.NEGATIVE_INFINITY);
    if (throughSeq >= this.#promised.commitSeq)
      this.#coveredThrough = Math.max(this.#coveredThrough, this.#promised.closedThrough);
  }

  confirmOverdue(promised: Promised): void {
    this.#overdue = promised;
  }
}
