import { FabricError } from "../../src/core/errors.ts";
import type {
  FrameBatch,
  PubSocket,
  PubSocketOptions,
  SendResult,
  SubCounters,
  SubSink,
  SubSocket,
  SubSocketOptions,
  ZmqBackend,
} from "../../src/zmq/contract.ts";
import type { Seeded } from "../provider/sim/seeded.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

const encoder = new TextEncoder();
/** Batches a subscriber may have in hand. */
const BATCHES_OUT = 2;

/** What goes over the wire, as told to whoever watches it from outside. */
export type WireWatch = (publisher: Life, topic: string, body: string) => void;

/** One publisher's connection to one subscriber. */
interface Pipe {
  readonly publisher: SimPublisher;
  readonly subscriber: SimSubscriber;
  readonly chance: Seeded;
  readonly purpose: string;
  isJoined: boolean;
  isOpen: boolean;
  cutUntilMs: number;
  /** Nothing sent later arrives earlier, unless it is to be reordered. */
  lastArrivalMs: number;
}

/** All sockets of a run: PUB and SUB as libzmq has them, with a network between that loses, repeats, delays and reorders. */
export class SimWire {
  readonly world: World;
  readonly publishers = new Map<string, SimPublisher>();
  readonly subscribers = new Set<SimSubscriber>();
  readonly watches: WireWatch[] = [];
  readonly pipes = new Set<Pipe>();

  constructor(world: World) {
    this.world = world;
  }

  backend(life: Life): ZmqBackend {
    return {
      name: "bun-ffi",
      version: () => "4.3.5",
      curveKeyPair: () => ({ publicKey: "", secretKey: "" }),
      openPublisher: (options) => new SimPublisher(this, life, options),
      openSubscriber: async (options, sink) => {
        life.step("opening a subscriber");
        return new SimSubscriber(this, life, options, sink);
      },
    };
  }

  join(publisher: SimPublisher, subscriber: SimSubscriber): void {
    const purpose = `pipe ${publisher.life.name} ${subscriber.life.name}`;
    const chance = this.world.chance(purpose);
    const pipe: Pipe = {
      ...{ publisher, subscriber, chance, purpose },
      ...{ isJoined: false, isOpen: true, cutUntilMs: 0, lastArrivalMs: 0 },
    };
    this.pipes.add(pipe);
    const slow = this.#hurts(chance, "wire.slow-joiner", 1) ? chance.below(3000) : chance.below(20);
    this.world.time.after(slow, () => {
      pipe.isJoined = true;
    });
  }

  /** The pipes of a socket that is gone. What was under way may still arrive where its sender died. */
  part(socket: SimPublisher | SimSubscriber): void {
    for (const pipe of this.pipes) {
      if (pipe.publisher !== socket && pipe.subscriber !== socket) continue;
      this.pipes.delete(pipe);
      pipe.isJoined = false;
      if (pipe.subscriber === socket || pipe.chance.chance(0.5)) pipe.isOpen = false;
    }
  }

  carry(publisher: SimPublisher, frame: string): void {
    for (const pipe of this.pipes) {
      if (pipe.publisher === publisher && pipe.isJoined && pipe.subscriber.wants(frame)) this.#carryOn(pipe, frame);
    }
  }

  #carryOn(pipe: Pipe, frame: string): void {
    const { chance } = pipe;
    const nowMs = this.world.nowMs;
    if (this.#hurts(chance, "wire.cut", 0.03)) pipe.cutUntilMs = nowMs + chance.below(4000);
    if (nowMs < pipe.cutUntilMs || this.#hurts(chance, "wire.drop", 0.4)) return;
    const bytes = this.#hurts(chance, "wire.garbage", 0.1) ? spoiled(frame, chance) : encoder.encode(frame);
    const copies = this.#hurts(chance, "wire.duplicate", 0.4) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = this.#hurts(chance, "wire.delay", 0.5) ? chance.below(2500) : chance.next() * 2;
      let atMs = nowMs + delayMs;
      if (this.#hurts(chance, "wire.reorder", 0.5)) atMs += chance.next() * 200;
      else atMs = Math.max(atMs, pipe.lastArrivalMs);
      pipe.lastArrivalMs = Math.max(atMs, pipe.lastArrivalMs);
      this.world.time.after(atMs - nowMs, () => {
        if (pipe.isOpen) pipe.subscriber.arrive(bytes);
      });
    }
  }

  #hurts(chance: Seeded, fault: keyof World["scenario"]["rates"], most: number): boolean {
    const drawn = chance.next();
    return this.world.isHurting && drawn < this.world.scenario.rates[fault] * most;
  }
}

export class SimPublisher implements PubSocket {
  readonly endpoints: readonly string[];
  readonly life: Life;
  lastError: string | null = null;
  readonly #wire: SimWire;
  readonly #chance: Seeded;
  #isOpen = true;

  constructor(wire: SimWire, life: Life, options: PubSocketOptions) {
    life.step("binding a publisher");
    this.#wire = wire;
    this.life = life;
    this.#chance = wire.world.chance(`publisher ${life.name}`);
    this.endpoints = options.endpoints.map((endpoint) => endpoint.address);
    for (const address of this.endpoints) {
      if (wire.publishers.has(address))
        throw new FabricError("unavailable", `Cannot bind ${address}: the address is in use`);
      wire.publishers.set(address, this);
      for (const subscriber of wire.subscribers) if (subscriber.addresses.has(address)) subscriber.meet(this);
    }
    life.atDeath(() => this.#vanish());
  }

  send(frame: Uint8Array | string): SendResult {
    this.life.step("sending a frame");
    if (!this.#isOpen) return "failed";
    const text = typeof frame === "string" ? frame : new TextDecoder().decode(frame);
    const { world } = this.#wire;
    if (world.isHurting && this.#chance.chance(world.scenario.rates["wire.send-fails"] * 0.2)) {
      if (this.#chance.chance(0.3)) throw new Error("the native library failed");
      this.lastError = "no memory";
      return this.#chance.chance(0.5) ? "again" : "failed";
    }
    const space = text.indexOf(" ");
    for (const watch of this.#wire.watches) watch(this.life, text.slice(0, space), text.slice(space + 1));
    this.#wire.carry(this, text);
    return "sent";
  }

  rebindLost(): readonly string[] {
    this.life.step("looking at bound paths");
    return [];
  }

  close(): void {
    this.#vanish();
  }

  #vanish(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const address of this.endpoints) {
      if (this.#wire.publishers.get(address) === this) this.#wire.publishers.delete(address);
    }
    this.#wire.part(this);
  }
}

class SimSubscriber implements SubSocket {
  readonly endpoints: readonly string[] = [];
  readonly life: Life;
  readonly addresses: Set<string>;
  readonly #wire: SimWire;
  readonly #sink: SubSink;
  readonly #prefixes: string[];
  readonly #bound: number;
  readonly #waiting: Uint8Array[] = [];
  #held = 0;
  #out = 0;
  #isOpen = true;
  readonly #counts = { received: 0, receivedBytes: 0, delivered: 0, dropped: 0, malformed: 0, empty: 0 };

  constructor(wire: SimWire, life: Life, options: SubSocketOptions, sink: SubSink) {
    this.#wire = wire;
    this.life = life;
    this.#sink = sink;
    this.#prefixes = options.subscriptions.map((subscription) => new TextDecoder().decode(subscription));
    this.#bound = Math.min(options.bufferMessages, options.receiveHighWaterMark);
    this.addresses = new Set(options.endpoints.map((endpoint) => endpoint.address));
    wire.subscribers.add(this);
    for (const address of this.addresses) {
      const publisher = wire.publishers.get(address);
      if (publisher) this.meet(publisher);
    }
    life.atDeath(() => this.#vanish());
  }

  meet(publisher: SimPublisher): void {
    this.#wire.join(publisher, this);
  }

  wants(frame: string): boolean {
    return this.#prefixes.some((prefix) => frame.startsWith(prefix));
  }

  arrive(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    this.#counts.received++;
    this.#counts.receivedBytes += bytes.length;
    const space = bytes.indexOf(32);
    if (bytes.length === 0) this.#counts.empty++;
    else if (space < 1) this.#counts.malformed++;
    else if (this.#held >= this.#bound) this.#counts.dropped++;
    else {
      this.#held++;
      this.#waiting.push(bytes);
      this.#hand();
    }
  }

  counters(): SubCounters {
    return { ...this.#counts, conflated: 0, oversize: 0, statusesLost: 0 };
  }

  subscribe(subscription: Uint8Array): void {
    this.#prefixes.push(new TextDecoder().decode(subscription));
  }

  unsubscribe(subscription: Uint8Array): void {
    const at = this.#prefixes.indexOf(new TextDecoder().decode(subscription));
    if (at >= 0) this.#prefixes.splice(at, 1);
  }

  connect(address: string): void {
    this.addresses.add(address);
    const publisher = this.#wire.publishers.get(address);
    if (publisher) this.meet(publisher);
  }

  disconnect(address: string): void {
    this.addresses.delete(address);
    for (const pipe of this.#wire.pipes) {
      if (pipe.subscriber !== this || !pipe.publisher.endpoints.includes(address)) continue;
      pipe.isOpen = false;
      this.#wire.pipes.delete(pipe);
    }
  }

  close(): Promise<void> {
    this.#vanish();
    return this.life.call("closing a subscriber", 1, () => {});
  }

  #vanish(): void {
    this.#isOpen = false;
    this.#wire.subscribers.delete(this);
    this.#wire.part(this);
  }

  #hand(): void {
    if (this.#out >= BATCHES_OUT || this.#waiting.length === 0) return;
    this.#out++;
    this.life.enter(() => {
      const frames = this.#waiting.splice(0);
      if (frames.length === 0 || !this.#isOpen) {
        this.#out--;
        return;
      }
      this.life.step("a batch of frames");
      this.#counts.delivered += frames.length;
      let isDone = false;
      this.#sink.onFrames(batchOf(frames), () => {
        if (isDone) return;
        isDone = true;
        this.#out--;
        this.#held -= frames.length;
        this.#hand();
      });
    });
  }
}

function batchOf(frames: readonly Uint8Array[]): FrameBatch {
  if (frames.length === 1 && frames[0]) {
    const [bytes] = frames;
    return { length: 1, bytes, end: () => bytes.length, frame: () => bytes };
  }
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  const ends: number[] = [];
  let at = 0;
  for (const frame of frames) {
    bytes.set(frame, at);
    at += frame.length;
    ends.push(at);
  }
  const end = (index: number) => ends[index] ?? 0;
  return {
    length: frames.length,
    bytes,
    end,
    frame: (index) => bytes.subarray(index === 0 ? 0 : end(index - 1), end(index)),
  };
}

/** A frame that a broken sender or a foreign one might send: cut short, of another version, not text, not JSON. */
function spoiled(frame: string, chance: Seeded): Uint8Array {
  const bytes = encoder.encode(frame);
  const kind = chance.below(4);
  if (kind === 0) return bytes.slice(0, chance.below(bytes.length));
  if (kind === 1) return encoder.encode(frame.replace('"v":1', '"v":2'));
  if (kind === 2) return encoder.encode(`${frame.slice(0, frame.indexOf(" "))} ${"x".repeat(chance.below(40))}`);
  const torn = bytes.slice();
  const from = frame.indexOf(" ") + 1;
  torn[from + chance.below(Math.max(1, bytes.length - from))] = 0xff;
  return torn;
}
