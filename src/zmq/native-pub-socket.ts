import { MAX_FRAME_BYTES, type PubSocket, type PubSocketOptions, type SendResult } from "./contract.ts";
import { NativeSocket } from "./native-socket.ts";
import type { SharedContext } from "./shared-context.ts";
import { type Libzmq, type NativeBuffer, ZMQ } from "./symbols.ts";

const FIRST_BUFFER_BYTES = 64 * 1024;
/** UTF-8 needs at most three bytes for a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;
const encoder = new TextEncoder();

/** A PUB socket, for both backends. */
export class NativePubSocket implements PubSocket {
  readonly endpoints: readonly string[];
  readonly #lib: Libzmq;
  readonly #context: SharedContext;
  readonly #socket: NativeSocket;
  /** Frames go to C from here. Grows to the largest frame seen, at most MAX_FRAME_BYTES and a few. */
  #buffer: NativeBuffer;
  #lastError: string | null = null;
  #closed = false;

  constructor(lib: Libzmq, context: SharedContext, options: PubSocketOptions) {
    this.#lib = lib;
    this.#context = context;
    this.#buffer = lib.allocate(FIRST_BUFFER_BYTES);
    const contextHandle = context.acquire();
    let socket: NativeSocket | null = null;
    try {
      socket = new NativeSocket(lib, contextHandle, ZMQ.PUB);
      socket.setInt(ZMQ.SNDHWM, options.sendHighWaterMark);
      if (options.curve) socket.setCurve(options.curve);
      const bound: NativeSocket = socket;
      this.endpoints = options.endpoints.map((endpoint) => bound.attach(endpoint));
    } catch (error) {
      socket?.close();
      context.release();
      throw error;
    }
    this.#socket = socket;
  }

  get lastError(): string | null {
    return this.#lastError;
  }

  send(frame: Uint8Array | string): SendResult {
    if (this.#closed) {
      this.#lastError = "the socket is closed";
      return "failed";
    }
    const sizeBytes = typeof frame === "string" ? this.#putText(frame) : this.#putBytes(frame);
    if (sizeBytes > MAX_FRAME_BYTES) return "oversize";
    if (this.#socket.sendBytes(this.#buffer.address, sizeBytes) >= 0) return "sent";
    if (this.#socket.isAgain()) return "again";
    this.#lastError = this.#socket.errorText();
    return "failed";
  }

  rebindLost(): readonly string[] {
    return this.#closed ? [] : this.#socket.rebindLost();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    this.#context.release();
  }

  #putBytes(frame: Uint8Array): number {
    if (frame.length > MAX_FRAME_BYTES) return frame.length;
    this.#grow(frame.length);
    this.#buffer.bytes.set(frame);
    return frame.length;
  }

  /** The text's size in bytes, or one above MAX_FRAME_BYTES where it does not fit. */
  #putText(text: string): number {
    if (text.length > MAX_FRAME_BYTES) return MAX_FRAME_BYTES + 1;
    this.#grow(text.length);
    let { read, written } = encoder.encodeInto(text, this.#buffer.bytes);
    if (read < text.length) {
      this.#grow(Math.min(text.length * MAX_BYTES_PER_UNIT, MAX_FRAME_BYTES + MAX_BYTES_PER_UNIT));
      ({ read, written } = encoder.encodeInto(text, this.#buffer.bytes));
    }
    return read < text.length ? MAX_FRAME_BYTES + 1 : written;
  }

  #grow(sizeBytes: number): void {
    if (sizeBytes > this.#buffer.bytes.length) this.#buffer = this.#lib.allocate(sizeBytes);
  }
}
