import type { ZmqStatus } from "./contract.ts";

/** Statuses that wait in the receiving thread. */
export const MAX_WAITING_STATUSES = 256;
const OVERFLOW_REPORT_MS = 1000;

/** Holds statuses until the consumer takes them: at the bound the oldest goes. Reports overflow at most once a second. */
export class StatusRing {
  readonly #onLost: () => void;
  #waiting: ZmqStatus[] = [];
  #dropped = 0;
  #droppedReported = 0;
  #nextReportAtMs = 0;

  /** `onLost` is called for each status that goes at the bound. */
  constructor(onLost: () => void) {
    this.#onLost = onLost;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  push(status: ZmqStatus): void {
    if (this.#waiting.length >= MAX_WAITING_STATUSES) {
      this.#waiting.shift();
      this.#onLost();
    }
    this.#waiting.push(status);
  }

  /** A message was dropped at the bound. */
  messageDropped(): void {
    this.#dropped++;
  }

  /** Adds an overflow status where one is due; answers in how many ms the next is, -1 where none will be. */
  reportOverflow(nowMs: number): number {
    if (this.#dropped === this.#droppedReported) return -1;
    if (nowMs < this.#nextReportAtMs) return Math.ceil(this.#nextReportAtMs - nowMs);
    this.push({ type: "overflow", dropped: this.#dropped - this.#droppedReported, total: this.#dropped });
    this.#droppedReported = this.#dropped;
    this.#nextReportAtMs = nowMs + OVERFLOW_REPORT_MS;
    return -1;
  }

  takeAll(): readonly ZmqStatus[] {
    const statuses = this.#waiting;
    this.#waiting = [];
    return statuses;
  }
}
