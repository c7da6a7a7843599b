import { FabricError } from "../core/errors.ts";

export interface SseClientOptions {
  /** Most bytes that may wait unread after the greeting. */
  readonly limitBytes: number;
  /** Frames the client starts with; outside the limit, because they are shared with every client and bounded by the store. */
  readonly greeting: readonly Uint8Array[];
  /** Called once, when the reader has gone by itself. */
  onGone(): void;
}

/**
 * One browser's stream. What it has not read waits in the stream's own queue, by reference to bytes that all clients share;
 * a client whose queue is over the limit is cut off when more is to be sent, and what waited is let go.
 */
export class SseClient {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #limitBytes: number;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #greeting = true;

  constructor(options: SseClientOptions) {
    this.#limitBytes = options.limitBytes;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          for (const frame of options.greeting) controller.enqueue(frame);
          this.#greeting = false;
        },
        cancel: () => {
          this.#controller = null;
          options.onGone();
        },
      },
      { highWaterMark: options.limitBytes, size: (chunk) => (this.#greeting ? 0 : (chunk?.byteLength ?? 0)) },
    );
  }

  /** Hands over one chunk. False where the client was over its limit and has been cut off, or had ended before. */
  send(chunk: Uint8Array): boolean {
    const room = this.#controller?.desiredSize ?? null;
    if (this.#controller === null || room === null) return false;
    if (room < 0) {
      this.cut(`more than ${this.#limitBytes} bytes were waiting unread`);
      return false;
    }
    this.#controller.enqueue(chunk);
    return true;
  }

  /** Breaks the connection and drops what waits. Idempotent. */
  cut(reason: string): void {
    const controller = this.#controller;
    this.#controller = null;
    controller?.error(new FabricError("try-again", `The event stream was cut off: ${reason}`));
  }

  /** Ends the stream in order: what waits is still sent. Idempotent. */
  end(): void {
    const controller = this.#controller;
    this.#controller = null;
    controller?.close();
  }
}
