import type { LogEntry, LogsBody } from "../core/wire.ts";
import type { BodyFields } from "./message-publisher.ts";

const DEFAULT_CAPACITY = 200;
/** Longest message kept, in UTF-16 units; the rest is cut off, so that a snapshot's size is bounded. */
export const MAX_LOG_MESSAGE_UNITS = 2000;

/** The newest log entries. Lossy: at the capacity the oldest goes, counted where no snapshot had told it. Never throws. */
export class LogRing {
  readonly #capacity: number;
  #entries: LogEntry[] = [];
  /** Of the entries in the ring, how many (the newest) no snapshot has told. */
  #untold = 0;
  #dropped = 0;

  /** `capacity`: entries, 1 or more. */
  constructor(capacity = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  /** Whether anything came since the newest snapshot. */
  get hasNew(): boolean {
    return this.#untold > 0;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  add(entry: LogEntry): void {
    if (this.#entries.length >= this.#capacity) {
      if (this.#untold === this.#entries.length) {
        this.#untold--;
        this.#dropped++;
      }
      this.#entries.shift();
    }
    const { at, level, message } = entry;
    this.#entries.push({ at, level, message: message.slice(0, MAX_LOG_MESSAGE_UNITS) });
    this.#untold++;
  }

  /** All entries, oldest first, and how many left the ring untold since the start. What is in it now counts as told. */
  snapshot(): BodyFields<LogsBody> {
    this.#untold = 0;
    return { entries: [...this.#entries], dropped: this.#dropped };
  }
}
