import { FabricError } from "../core/errors.ts";
import { joinFrames } from "./sse-frame.ts";

export interface SseClientOptions {
  /** Bytes that may wait unread before nothing more is handed over; one chunk may go beyond it. */
  readonly roomBytes: number;
  /** What the client is sent first. */
  readonly head: Uint8Array;
  /** Monotonic ms. */
  now(): number;
  /** Called when there is room: also from within `give`. */
  onRoom(client: SseClient): void;
  /** Called once, when the reader has gone by itself. */
  onGone(client: SseClient): void;
}

/**
 * One browser's stream. A reader that keeps up is handed every chunk, the same bytes as everybody; one that does not has at
 * most `roomBytes` and one chunk waiting, and is handed a list of frames later, piece by piece as it reads.
 */
export class SseClient {
  readonly stream: ReadableStream<Uint8Array>;
  /** Every event up to this seq was handed over, or a newer one of its key was. */
  through = 0;
  /** Whom the bound per address counts it for; null for nobody. */
  address: string | null = null;
  /** How many of its group's events those are. */
  told = 0;
  readonly #options: SseClientOptions;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** What it catches up with, oldest first, from `#next` on. */
  #frames: readonly Uint8Array[] = [];
  #next = 0;
  #framesThrough = 0;
  #catchingUpSinceMs = 0;
  #handedBytes = 0;
  /** What it had read when it was last looked at and had read something, or nothing waited. */
  #readBytes = 0;
  #readAtMs: number;

  constructor(options: SseClientOptions) {
    this.#options = options;
    this.#readAtMs = options.now();
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          this.give(options.head);
        },
        pull: () => options.onRoom(this),
        cancel: () => {
          this.#controller = null;
          options.onGone(this);
        },
      },
      { highWaterMark: options.roomBytes, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  /** Whether frames of `catchUp` are still to be handed over. */
  get isCatchingUp(): boolean {
    return this.#next < this.#frames.length;
  }

  get hasRoom(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  /** Hands over one chunk. False, and nothing done, where there is no room or the stream has ended. */
  give(chunk: Uint8Array): boolean {
    if (!this.hasRoom) return false;
    this.#handedBytes += chunk.byteLength;
    this.#controller?.enqueue(chunk);
    return true;
  }

  /** Sets out to hand over `frames`, after which all up to `through` are told. Only where it does not catch up already. */
  catchUp(frames: readonly Uint8Array[], through: number): void {
    this.#frames = frames;
    this.#next = 0;
    this.#framesThrough = through;
    this.#catchingUpSinceMs = this.#options.now();
    if (frames.length === 0) this.through = through;
  }

  /** Hands over as many of its frames as there is room for, in pieces of about `pieceBytes`. */
  givePieces(pieceBytes: number): { readonly pieces: number; readonly bytes: number } {
    let pieces = 0;
    let bytes = 0;
    while (this.isCatchingUp && this.hasRoom) {
      const piece = this.#nextPiece(pieceBytes);
      // First its place, then the piece: a reader that waits asks for more from within `give`.
      if (!this.isCatchingUp) {
        this.#frames = [];
        this.#next = 0;
        this.through = this.#framesThrough;
      }
      this.give(piece);
      pieces++;
      bytes += piece.byteLength;
    }
    return { pieces, bytes };
  }

  #nextPiece(pieceBytes: number): Uint8Array {
    const first = this.#next;
    let bytes = 0;
    do bytes += this.#frames[this.#next++]?.byteLength ?? 0;
    while (this.isCatchingUp && bytes + (this.#frames[this.#next]?.byteLength ?? 0) <= pieceBytes);
    return joinFrames(this.#frames.slice(first, this.#next));
  }

  /** For how long it has read nothing while something waited, ms, as seen by looking now and then. */
  stuckMs(): number {
    const waitingBytes = this.#options.roomBytes - (this.#controller?.desiredSize ?? 0);
    const readBytes = this.#handedBytes - waitingBytes;
    if (waitingBytes === 0 || readBytes > this.#readBytes) {
      this.#readBytes = readBytes;
      this.#readAtMs = this.#options.now();
    }
    return this.#options.now() - this.#readAtMs;
  }

  /** For how long it has been catching up with one list, ms. */
  catchingUpMs(): number {
    return this.isCatchingUp ? this.#options.now() - this.#catchingUpSinceMs : 0;
  }

  /** Breaks the connection and drops what waits. Idempotent. */
  cut(reason: string): void {
    const controller = this.#controller;
    this.#release();
    controller?.error(new FabricError("try-again", `The event stream was cut off: ${reason}`));
  }

  /** Ends the stream in order: what was handed over is still sent. Idempotent. */
  end(): void {
    const controller = this.#controller;
    this.#release();
    controller?.close();
  }

  #release(): void {
    this.#controller = null;
    this.#frames = [];
    this.#next = 0;
  }
}
