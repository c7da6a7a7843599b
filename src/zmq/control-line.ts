import { NativeSocket } from "./native-socket.ts";
import { type Libzmq, type NativeBuffer, ZMQ } from "./symbols.ts";

/** What the consumer asks of the receiving thread: one byte, then bytes that the kind explains. */
export type Command =
  | { readonly kind: "wake" }
  | { readonly kind: "subscribe" | "unsubscribe"; readonly prefix: Uint8Array }
  | { readonly kind: "connect" | "disconnect"; readonly address: string };

const KINDS = ["wake", "subscribe", "unsubscribe", "connect", "disconnect"] as const;
export const MAX_COMMAND_BYTES = 4096;
/** Commands that may wait on either end; the thread takes them within a millisecond or so, so this is never met. */
const LINE_HIGH_WATER_MARK = 100_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The consumer's end of an inproc PAIR; it interrupts the receiver's zmq_poll. */
export class ControlSender {
  readonly #socket: NativeSocket;
  readonly #buffer: NativeBuffer;

  constructor(lib: Libzmq, context: number, address: string) {
    this.#socket = openPair(lib, context);
    this.#buffer = lib.allocate(MAX_COMMAND_BYTES);
    this.#socket.attach({ address, how: "bind" });
  }

  /** Whether the command was taken. Never blocks. */
  send(command: Command): boolean {
    const payload = payloadOf(command);
    if (payload.length >= MAX_COMMAND_BYTES) return false;
    this.#buffer.bytes[0] = KINDS.indexOf(command.kind);
    this.#buffer.bytes.set(payload, 1);
    return this.#socket.sendBytes(this.#buffer.address, 1 + payload.length) >= 0;
  }

  close(): void {
    this.#socket.close();
  }
}

/** The receiver's end. */
export class ControlReceiver {
  readonly #socket: NativeSocket;
  readonly #buffer: NativeBuffer;

  constructor(lib: Libzmq, context: number, address: string) {
    this.#socket = openPair(lib, context);
    this.#buffer = lib.allocate(MAX_COMMAND_BYTES);
    this.#socket.attach({ address, how: "connect" });
  }

  get handle(): number {
    return this.#socket.handle;
  }

  /** The next command, null where none waits. */
  receive(): Command | null {
    const sizeBytes = this.#socket.receiveInto(this.#buffer.address, MAX_COMMAND_BYTES);
    if (sizeBytes < 1) return null;
    const kind = KINDS[this.#buffer.bytes[0] ?? 0] ?? "wake";
    const payload = this.#buffer.bytes.slice(1, sizeBytes);
    if (kind === "wake") return { kind };
    if (kind === "subscribe" || kind === "unsubscribe") return { kind, prefix: payload };
    return { kind, address: decoder.decode(payload) };
  }

  close(): void {
    this.#socket.close();
  }
}

function openPair(lib: Libzmq, context: number): NativeSocket {
  const socket = new NativeSocket(lib, context, ZMQ.PAIR);
  socket.setInt(ZMQ.SNDHWM, LINE_HIGH_WATER_MARK);
  socket.setInt(ZMQ.RCVHWM, LINE_HIGH_WATER_MARK);
  return socket;
}

function payloadOf(command: Command): Uint8Array {
  if ("prefix" in command) return command.prefix;
  return encoder.encode("address" in command ? command.address : "");
}
