import { createConnection, createServer, type Server, type Socket } from "node:net";
import { platform } from "#platform";
import type { Timer } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import type { WireHow } from "./plan.ts";

const HOST = "127.0.0.1";
/** Bytes that one direction of a connection may hold back before its sender is no longer read. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;

/**
 * A wire that chaos owns: whoever connects to its port is joined to the target's port, byte for byte, unless a fault is on. What
 * TCP cannot do is not done: no byte is lost or altered inside a connection that lives.
 */
export class WireProxy {
  readonly #target: number;
  readonly #server: Server;
  readonly #joints = new Set<Joint>();
  #refusing = false;
  #delayMs = 0;
  #stalled = false;
  #timer: Timer | null = null;
  connections = 0;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
  }

  /** Resolves once it listens. Throws FabricError "unavailable". */
  static open(port: number, target: number): Promise<WireProxy> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      const proxy = new WireProxy(server, target);
      server.on("connection", (client) => proxy.#take(client));
      server.once("error", (error) => {
        reject(
          new FabricError("unavailable", `Cannot listen on ${HOST}:${port}: ${messageOf(error)}`, { cause: error }),
        );
      });
      server.listen(port, HOST, () => resolve(proxy));
    });
  }

  /** Begins a fault; the one before it ends. It ends by itself after `forMs`, except that a half-open connection stays one. */
  hurt(how: WireHow, forMs: number, delayMs: number): void {
    this.heal();
    if (how === "cut") this.#cutAll();
    else if (how === "half-open") for (const joint of this.#joints) joint.deafen();
    else if (how === "refuse") {
      this.#refusing = true;
      this.#cutAll();
    } else if (how === "stall") {
      this.#stalled = true;
      for (const joint of this.#joints) joint.stall();
    } else this.#delayMs = delayMs;
    for (const joint of this.#joints) joint.delayMs = this.#delayMs;
    this.#timer = platform.timers.after(forMs, () => this.heal());
  }

  /** Ends the fault in progress. */
  heal(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#refusing = false;
    this.#delayMs = 0;
    this.#stalled = false;
    for (const joint of this.#joints) {
      joint.delayMs = 0;
      joint.resume();
    }
  }

  /** A fault is in progress. */
  get hurting(): boolean {
    return this.#timer !== null;
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const joint of this.#joints) joint.cut();
    await closed;
  }

  /** A half-open connection cannot be cut: who would tell its ends? */
  #cutAll(): void {
    for (const joint of this.#joints) if (!joint.deaf) joint.cut();
  }

  #take(client: Socket): void {
    this.connections++;
    if (this.#refusing) {
      client.on("error", () => undefined);
      client.destroy();
      return;
    }
    const joint = new Joint(client, createConnection({ port: this.#target, host: HOST }), () =>
      this.#joints.delete(joint),
    );
    joint.delayMs = this.#delayMs;
    if (this.#stalled) joint.stall();
    this.#joints.add(joint);
  }
}

/** One client's connection and ours to the target. */
class Joint {
  readonly #sockets: readonly [Socket, Socket];
  readonly #lanes: readonly [Lane, Lane];
  readonly #gone: () => void;
  deaf = false;
  delayMs = 0;

  constructor(client: Socket, target: Socket, gone: () => void) {
    this.#sockets = [client, target];
    this.#gone = gone;
    this.#lanes = [new Lane(client, target), new Lane(target, client)];
    for (const [at, socket] of this.#sockets.entries()) {
      socket.setNoDelay(true);
      socket.on("data", (chunk: Buffer) => {
        if (!this.deaf) this.#lanes[at === 0 ? 0 : 1].take(chunk, this.delayMs);
      });
      socket.on("error", () => this.#ended(at));
      socket.on("close", () => this.#ended(at));
    }
  }

  cut(): void {
    for (const lane of this.#lanes) lane.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#gone();
  }

  /** From now on neither side hears the other, and neither is told: as where a machine or a router between them is gone. */
  deafen(): void {
    this.deaf = true;
    for (const lane of this.#lanes) lane.close();
  }

  stall(): void {
    for (const lane of this.#lanes) lane.stalled = true;
  }

  resume(): void {
    for (const lane of this.#lanes) {
      lane.stalled = false;
      lane.flush();
    }
  }

  /** A half-open connection ends for the side that gives it up alone; the other is still not told, but let go. */
  #ended(at: number): void {
    if (!this.deaf) this.cut();
    else if (at === 0) this.cut();
  }
}

/** One direction: what came and may not go on yet, in order. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #held: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
  #bytes = 0;
  #timer: Timer | null = null;
  #closed = false;
  stalled = false;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    to.on("drain", () => {
      if (this.#bytes < MAX_HELD_BYTES) from.resume();
    });
  }

  take(chunk: Buffer, delayMs: number): void {
    if (this.#closed) return;
    this.#held.push({ chunk, dueMs: platform.clock.monotonicMs() + delayMs });
    this.#bytes += chunk.length;
    if (this.#bytes >= MAX_HELD_BYTES) this.#from.pause();
    this.flush();
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const now = platform.clock.monotonicMs();
    while (!this.stalled && !this.#closed) {
      const [next] = this.#held;
      if (!next) break;
      if (next.dueMs > now) {
        this.#timer = platform.timers.after(next.dueMs - now, () => this.flush());
        return;
      }
      this.#held.shift();
      this.#bytes -= next.chunk.length;
      if (!this.#to.write(next.chunk)) this.#from.pause();
    }
    if (this.#bytes < MAX_HELD_BYTES && !this.#to.writableNeedDrain) this.#from.resume();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#held.length = 0;
  }
}
