import { createParser, type EventSourceMessage } from "eventsource-parser";

/** Reads a byte stream with a parser of its own, keeping what it found. */
export class SseReader {
  readonly events: EventSourceMessage[] = [];
  readonly comments: string[] = [];
  retryMs: number | null = null;
  /** Null while it lasts; then "closed" or what broke it. */
  ended: string | null = null;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    void this.#pump();
  }

  /** Events with ids: all but the bridge's own state. */
  get numbered(): readonly EventSourceMessage[] {
    return this.events.filter((event) => event.id !== undefined);
  }

  get seqs(): readonly number[] {
    return this.numbered.map((event) => Number(event.id?.split("-").at(-1)));
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }

  async #pump(): Promise<void> {
    const parser = createParser({
      onEvent: (event) => this.events.push(event),
      onComment: (comment) => this.comments.push(comment),
      onRetry: (ms) => {
        this.retryMs = ms;
      },
    });
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        parser.feed(decoder.decode(value, { stream: true }));
      }
      this.ended = "closed";
    } catch (error) {
      this.ended = String(error);
    }
  }
}
