import { createParser, type EventSourceMessage } from "eventsource-parser";
import { settle } from "./sse-rig.ts";

export interface NumberedMessage extends EventSourceMessage {
  /** From the id; 0 without one. */
  readonly seq: number;
}

/** Reads a byte stream only when told to, a chunk at a time. */
export class ManualReader {
  /** For those who check that ids rise. */
  lastSeq = 0;
  /** Null while it lasts; then "closed" or what broke it. */
  ended: string | null = null;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #messages: NumberedMessage[] = [];
  #reading = false;
  readonly #parser = createParser({
    onEvent: (event) => this.#messages.push({ ...event, seq: Number(event.id?.split("-").at(-1) ?? 0) }),
  });

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** Takes at most one chunk; where none waits, the next one to come. */
  async readOnce(): Promise<void> {
    if (this.#reading || this.ended !== null) return;
    this.#reading = true;
    void this.#reader.read().then(
      ({ done, value }) => {
        this.#reading = false;
        if (done) this.ended = "closed";
        else this.#parser.feed(this.#decoder.decode(value, { stream: true }));
      },
      (error: unknown) => {
        this.#reading = false;
        this.ended = String(error);
      },
    );
    await settle();
  }

  /** Takes chunks until none waits. */
  async readAll(): Promise<void> {
    do await this.readOnce();
    while (!this.#reading && this.ended === null);
  }

  /** What was read since the last call. */
  take(): readonly NumberedMessage[] {
    return this.#messages.splice(0);
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}
