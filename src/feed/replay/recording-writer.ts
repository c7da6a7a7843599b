import { gzipSync } from "node:zlib";
import type { Clock, Timer, Timers } from "../../core/env.ts";
import { ReceiveClock } from "./receive-clock.ts";
import { messageLine } from "./recorded-line.ts";
import { noteLine, type RecordingNote } from "./recording-note.ts";
import { MAX_LINE_CHARS } from "./text-lines.ts";

/** Where a recording's bytes go. */
export interface RecordingOutput {
  /** Appends all of `bytes`, or none of it and throws FabricError "io". Blocks. */
  append(bytes: Uint8Array): void;
}

export interface RecordingWriterDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly output: RecordingOutput;
  /** The output failed: nothing is written any more. Told once. */
  onFailed(error: unknown): void;
}

const BLOCK_CHARS = 256 * 1024;
const FLUSH_MS = 500;

/**
 * Writes a recording: a line a message, receive times that never go back, and notes. Lines gather in a block that is written as one
 * whole gzip member at 256 KiB or half a second after its first line, so that a file is sound after each write and a killed
 * process loses less than a second. Compressing and writing block, so nothing queues: a disk that is too slow slows the socket.
 */
export class RecordingWriter {
  readonly #deps: RecordingWriterDeps;
  readonly #clock: ReceiveClock;
  #block: string[] = [];
  #blockChars = 0;
  #flushing: Timer | null = null;
  #failed = false;
  #messages = 0;
  #bytes = 0;

  constructor(deps: RecordingWriterDeps) {
    this.#deps = deps;
    this.#clock = new ReceiveClock(deps.clock);
  }

  /** Messages that are in the file or on their way there. */
  get messages(): number {
    return this.#messages;
  }

  /** Compressed bytes in the file. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `connection` where several are open, else null. False where the message is longer than a line may be. */
  message(connection: number | null, text: string): boolean {
    const line = messageLine(this.#clock.nowNs(), connection, text);
    if (line.length > MAX_LINE_CHARS) return false;
    this.#messages++;
    this.#put(line);
    return true;
  }

  note(note: RecordingNote): void {
    this.#put(noteLine(this.#clock.nowNs(), note));
  }

  /** Writes what has gathered. */
  flush(): void {
    this.#flushing?.cancel();
    this.#flushing = null;
    if (this.#block.length === 0 || this.#failed) return;
    const bytes = gzipSync(`${this.#block.join("\n")}\n`);
    this.#block = [];
    this.#blockChars = 0;
    try {
      this.#deps.output.append(bytes);
      this.#bytes += bytes.length;
    } catch (error) {
      this.#failed = true;
      this.#deps.onFailed(error);
    }
  }

  #put(line: string): void {
    if (this.#failed) return;
    this.#block.push(line);
    this.#blockChars += line.length + 1;
    if (this.#blockChars >= BLOCK_CHARS) this.flush();
    else this.#flushing ??= this.#deps.timers.after(FLUSH_MS, () => this.flush());
  }
}
