import { zmqBackend } from "#zmq-backend";
import type {
  PubSocket,
  PubSocketOptions,
  SubCounters,
  SubSocket,
  SubSocketOptions,
  ZmqStatus,
} from "../../src/zmq/contract.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";

export type Transport = "tcp" | "ipc" | "inproc";
export const TRANSPORTS: readonly Transport[] = ["tcp", "ipc", "inproc"];

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const WARM = "warm";

/** Sockets of one test, all closed when it is disposed. Works on Bun and on Deno. */
export class Net implements AsyncDisposable {
  readonly #folder = tempFolder();
  readonly #pubs: PubSocket[] = [];
  readonly #listeners: Listener[] = [];
  #next = 1;

  /** A fresh address to bind. */
  address(transport: Transport): string {
    const n = this.#next++;
    if (transport === "tcp") return "tcp://127.0.0.1:0";
    return transport === "ipc" ? `ipc://${this.#folder.join(`${n}.ipc`)}` : `inproc://test.${crypto.randomUUID()}`;
  }

  /** A publisher bound to one address (or with the endpoints given). */
  pub(address: string, options: Partial<PubSocketOptions> = {}): PubSocket {
    const pub = zmqBackend.openPublisher({
      endpoints: [{ address, how: "bind" }],
      sendHighWaterMark: 100_000,
      ...options,
    });
    this.#pubs.push(pub);
    return pub;
  }

  /** A subscriber connected to one address, hearing `prefixes`. */
  async sub(address: string, prefixes: readonly string[], options: Partial<SubSocketOptions> = {}): Promise<Listener> {
    const listener = new Listener();
    await listener.open({
      endpoints: [{ address, how: "connect" }],
      subscriptions: prefixes.map((prefix) => encoder.encode(prefix)),
      receiveHighWaterMark: 100_000,
      conflate: "off",
      keyByNode: [],
      bufferMessages: 100_000,
      bufferBytes: 16 * 1024 * 1024,
      reconnectMs: 20,
      reconnectMaxMs: 100,
      ...options,
    });
    this.#listeners.push(listener);
    return listener;
  }

  /** Publishes until the listener hears it: its subscription to `topic` has then taken effect. */
  async warm(pub: PubSocket, listener: Listener, topic: string): Promise<void> {
    const before = listener.warmed;
    await eventually(() => {
      pub.send(`${topic} ${WARM}`);
      return listener.warmed > before;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    for (const pub of this.#pubs) pub.close();
    this.#folder[Symbol.dispose]();
  }
}

/** A subscriber that keeps what it hears; frames whose body is "warm" are counted apart. */
export class Listener {
  readonly frames: string[] = [];
  readonly statuses: ZmqStatus[] = [];
  warmed = 0;
  /** While true, batches are held and not acknowledged. */
  holding = false;
  #held: (() => void)[] = [];
  #socket: SubSocket | null = null;

  async open(options: SubSocketOptions): Promise<void> {
    this.#socket = await zmqBackend.openSubscriber(options, {
      onFrames: (batch, done) => {
        for (let at = 0; at < batch.length; at++) this.#hear(decoder.decode(batch.frame(at)));
        if (this.holding) this.#held.push(done);
        else done();
      },
      onStatus: (status) => this.statuses.push(status),
    });
  }

  get socket(): SubSocket {
    if (!this.#socket) throw new Error("not open");
    return this.#socket;
  }

  get counters(): SubCounters {
    return this.socket.counters();
  }

  /** Batches held and not acknowledged. */
  get held(): number {
    return this.#held.length;
  }

  saw(type: ZmqStatus["type"]): boolean {
    return this.statuses.some((status) => status.type === type);
  }

  /** Acknowledges what was held, and holds no more. */
  resume(): void {
    this.holding = false;
    for (const done of this.#held.splice(0)) done();
  }

  close(): Promise<void> {
    return this.socket.close();
  }

  #hear(frame: string): void {
    if (frame.endsWith(` ${WARM}`)) this.warmed++;
    else this.frames.push(frame);
  }
}
