import { messageOf } from "../core/errors.ts";
import { MAX_FRAME_BYTES, MAX_PEER_FRAME_BYTES, type SubSocketOptions, type ZmqStatus } from "./contract.ts";
import { type Command, ControlReceiver } from "./control-line.ts";
import { FrameGather } from "./frame-gather.ts";
import { frameKind } from "./frame-kind.ts";
import { MONITOR_HEAD_BYTES, MONITORED_EVENTS, statusOfEvent } from "./monitor-event.ts";
import { MAX_OPTION_BYTES, NativeSocket } from "./native-socket.ts";
import type { ReceiveShared } from "./receive-shared.ts";
import { StatusRing } from "./status-ring.ts";
import { StoppedPeers } from "./stopped-peers.ts";
import { type Libzmq, type NativeBuffer, ZMQ } from "./symbols.ts";

export interface ReceiveStart {
  readonly context: number;
  /** Names the inproc addresses of this subscriber's control line and monitor; unique in the process. */
  readonly id: number;
  readonly options: SubSocketOptions;
}

/** Where the loop puts what it received; each call is acknowledged through `ReceiveShared`. */
export interface ReceiveOutput {
  /** A packed batch (see BufferBatch), the receiver's no more. */
  frames(batch: ArrayBuffer): void;
  statuses(statuses: readonly ZmqStatus[]): void;
}

export const controlAddress = (id: number): string => `inproc://fabric.control.${id}`;

/** Frames taken per step, so that commands are heard even under a flood. */
const DRAIN_FRAMES = 4096;
/** Batches out at once: one being worked on, one ready behind it. While both are out, frames gather … */
const MAX_BATCHES_AWAY = 2;
/** … but only to this size, in bytes, so that the gathering buffer stays in the processor's cache. */
const FULL_BATCH_BYTES = 256 * 1024;
/**
 * ZMTP pings to each publisher, and how long one may be silent before its connection is given up and made anew: where the other
 * machine or a router is gone, TCP says nothing by itself, and a subscriber would wait for ever.
 */
const HEARTBEAT_MS = 1000;
const PEER_SILENCE_MS = 5000;
const POLL_ITEM_BYTES = 16;
const POLL_ITEMS = 3;
const SUB_ITEM = 2;

/**
 * The receiving side of a subscriber, for one thread: it owns the SUB socket, its monitor and the control line's end. The
 * backend polls `pollAddress` for `prepareToPoll()` ms (0 or -1 included) and calls `step()` after, until `stopped`.
 */
export class ReceiveLoop {
  readonly endpoints: readonly string[];
  readonly pollItems = POLL_ITEMS;
  readonly #socket: NativeSocket;
  readonly #monitor: NativeSocket;
  readonly #control: ControlReceiver;
  readonly #area: NativeBuffer;
  readonly #poll: NativeBuffer;
  readonly #gather: FrameGather;
  readonly #statuses: StatusRing;
  readonly #stopped = new StoppedPeers();
  readonly #shared: ReceiveShared;
  readonly #out: ReceiveOutput;
  readonly #nowMs: () => number;
  readonly #oneAtATime: boolean;
  #framesDone = 0;
  #statusesDone = 0;
  #statusPostsAway = 0;
  #more = false;

  /** Throws FabricError as `openSubscriber` does; nothing stays open then. */
  constructor(lib: Libzmq, start: ReceiveStart, shared: ReceiveShared, out: ReceiveOutput, nowMs: () => number) {
    const { options, context, id } = start;
    this.#shared = shared;
    this.#out = out;
    this.#nowMs = nowMs;
    this.#statuses = new StatusRing(() => shared.count("statusesLost"));
    this.#oneAtATime = options.conflate === "socket";
    this.#area = lib.allocate(options.bufferBytes + MAX_FRAME_BYTES);
    this.#poll = lib.allocate(POLL_ITEM_BYTES * POLL_ITEMS);
    this.#gather = new FrameGather(this.#area.bytes, options);
    const opened: { close(): void }[] = [];
    try {
      this.#control = new ControlReceiver(lib, context, controlAddress(id));
      opened.push(this.#control);
      this.#socket = new NativeSocket(lib, context, ZMQ.SUB);
      opened.push(this.#socket);
      this.#monitor = new NativeSocket(lib, context, ZMQ.PAIR);
      opened.push(this.#monitor);
      const monitorAddress = `inproc://fabric.monitor.${id}`;
      this.#socket.monitor(monitorAddress, MONITORED_EVENTS);
      this.#monitor.attach({ address: monitorAddress, how: "connect" });
      this.endpoints = configure(this.#socket, options);
      for (const { address, how } of options.endpoints) if (how === "connect") this.#stopped.add(address);
    } catch (error) {
      for (const part of opened) part.close();
      throw error;
    }
    [this.#control.handle, this.#monitor.handle, this.#socket.handle].forEach((handle, at) => {
      this.#poll.view.setBigUint64(at * POLL_ITEM_BYTES, BigInt(handle), true);
      this.#poll.view.setInt16(at * POLL_ITEM_BYTES + 12, ZMQ.POLLIN, true);
    });
  }

  get pollAddress(): number {
    return this.#poll.address;
  }

  get stopped(): boolean {
    return this.#shared.stopped;
  }

  /** How long to poll, ms: 0 where there is work already, -1 for ever. */
  prepareToPoll(): number {
    const nowMs = this.#nowMs();
    this.#connectAnew(nowMs);
    const waitMs = sooner(this.#statuses.reportOverflow(nowMs), this.#stopped.nextDueInMs(nowMs));
    this.#flush();
    this.#poll.view.setInt16(SUB_ITEM * POLL_ITEM_BYTES + 12, this.#mayReceive() ? ZMQ.POLLIN : 0, true);
    if (this.#more) return 0;
    const waits = this.#gather.waiting > 0 || this.#statuses.waiting > 0 || !this.#mayReceive();
    if (waits) {
      this.#shared.wantWake();
      if (this.#acknowledgedMeanwhile()) return 0;
    }
    return waitMs;
  }

  /** Commands, then connection events, then at most DRAIN_FRAMES frames; then hands over what may be handed over. */
  step(): void {
    for (let command = this.#control.receive(); command !== null; command = this.#control.receive())
      this.#obey(command);
    this.#drainMonitor();
    this.#takeAcknowledgements();
    this.#more = false;
    if (this.#mayReceive()) this.#drain();
    this.#flush();
  }

  /** Closes the three sockets. Call once, in the thread that made the loop. */
  close(): void {
    this.#socket.monitor(null, 0);
    this.#socket.close();
    this.#monitor.close();
    this.#control.close();
  }

  #drain(): void {
    const limit = this.#oneAtATime ? 1 : DRAIN_FRAMES;
    const area = this.#area.bytes;
    let bytes = 0;
    let received = 0;
    while (received < limit) {
      const at = this.#gather.used;
      const sizeBytes = this.#socket.receiveInto(this.#area.address + at, area.length - at);
      if (sizeBytes < 0) break;
      received++;
      bytes += sizeBytes;
      const kind = frameKind(area, at, sizeBytes, this.#socket.hasMore() ? 2 : 1);
      if (kind !== "good") this.#skip(kind);
      else if (this.#keep(sizeBytes) && this.#gather.used >= FULL_BATCH_BYTES) this.#post();
    }
    if (received === 0) return;
    this.#shared.count("received", received);
    this.#shared.count("receivedBytes", bytes);
    this.#more = received === limit && this.#mayReceive();
  }

  /** Whether the frame was kept. */
  #keep(sizeBytes: number): boolean {
    const gathered = this.#gather.keep(sizeBytes);
    if (gathered === "replaced") this.#shared.count("conflated");
    if (gathered !== "dropped") return true;
    this.#shared.count("dropped");
    this.#statuses.messageDropped();
    return false;
  }

  /** Takes the further parts of a message too: libzmq delivers a message whole, so they are all there. */
  #skip(kind: "empty" | "oversize" | "malformed"): void {
    this.#shared.count(kind);
    const at = this.#gather.used;
    while (this.#socket.hasMore()) {
      if (this.#socket.receiveInto(this.#area.address + at, this.#area.bytes.length - at) < 0) return;
    }
  }

  #flush(): void {
    this.#takeAcknowledgements();
    const limit = this.#oneAtATime ? 1 : MAX_BATCHES_AWAY;
    if (this.#gather.waiting > 0 && this.#gather.away < limit) this.#post();
    if (this.#statuses.waiting > 0 && this.#statusPostsAway === 0) {
      this.#statusPostsAway++;
      this.#out.statuses(this.#statuses.takeAll());
    }
  }

  #post(): void {
    this.#shared.count("delivered", this.#gather.waiting);
    const batch = this.#gather.take();
    if (batch) this.#out.frames(batch);
  }

  /** With ZMQ_CONFLATE the newest stays in libzmq until the consumer is free, or it would not be the newest. */
  #mayReceive(): boolean {
    return !this.#oneAtATime || (this.#gather.away === 0 && this.#gather.waiting === 0);
  }

  #acknowledgedMeanwhile(): boolean {
    return this.#shared.framesDoneCount !== this.#framesDone || this.#shared.statusesDoneCount !== this.#statusesDone;
  }

  #takeAcknowledgements(): void {
    const frames = this.#shared.framesDoneCount;
    if (frames !== this.#framesDone) this.#gather.acknowledge((frames - this.#framesDone) >>> 0);
    this.#framesDone = frames;
    const statuses = this.#shared.statusesDoneCount;
    this.#statusPostsAway -= (statuses - this.#statusesDone) >>> 0;
    this.#statusesDone = statuses;
  }

  #drainMonitor(): void {
    const at = this.#gather.used;
    const view = new DataView(this.#area.bytes.buffer, at, MAX_OPTION_BYTES);
    while (this.#monitor.receiveInto(this.#area.address + at, MONITOR_HEAD_BYTES) >= 0) {
      const addressAt = at + MONITOR_HEAD_BYTES;
      const sizeBytes = this.#monitor.receiveInto(this.#area.address + addressAt, MAX_OPTION_BYTES);
      const address = this.#area.bytes.slice(addressAt, addressAt + Math.max(0, Math.min(sizeBytes, MAX_OPTION_BYTES)));
      const status = statusOfEvent(view, new TextDecoder().decode(address));
      if (!status) continue;
      this.#statuses.push(status);
      this.#stopped.note(status, this.#nowMs());
    }
  }

  #obey(command: Command): void {
    try {
      if (command.kind === "subscribe") this.#socket.setBytes(ZMQ.SUBSCRIBE, command.prefix);
      else if (command.kind === "unsubscribe") this.#socket.setBytes(ZMQ.UNSUBSCRIBE, command.prefix);
      else if (command.kind === "connect") this.#connect(command.address);
      else if (command.kind === "disconnect") this.#disconnect(command.address);
    } catch (error) {
      this.#statuses.push({ type: "failed", reason: messageOf(error) });
    }
  }

  #connect(address: string): void {
    this.#socket.attach({ address, how: "connect" });
    this.#stopped.add(address);
  }

  #disconnect(address: string): void {
    this.#stopped.remove(address);
    this.#socket.detach(address);
  }

  /** Peers that libzmq has given up after a protocol error are tried again like any other. */
  #connectAnew(nowMs: number): void {
    for (const address of this.#stopped.takeDue(nowMs)) {
      this.#obey({ kind: "disconnect", address });
      this.#obey({ kind: "connect", address });
      this.#statuses.push({ type: "retrying", endpoint: address, delayMs: 0 });
    }
  }
}

/** The smaller of two waits in ms, where -1 is for ever. */
function sooner(oneMs: number, otherMs: number): number {
  if (oneMs < 0 || otherMs < 0) return Math.max(oneMs, otherMs);
  return Math.min(oneMs, otherMs);
}

/** Everything that must be set before the first connection; answers the real endpoints. */
function configure(socket: NativeSocket, options: SubSocketOptions): readonly string[] {
  if (options.conflate === "socket") socket.setInt(ZMQ.CONFLATE, 1);
  socket.setInt(ZMQ.RCVHWM, options.conflate === "socket" ? 1 : options.receiveHighWaterMark);
  socket.setInt64(ZMQ.MAXMSGSIZE, MAX_PEER_FRAME_BYTES);
  socket.setInt(ZMQ.HEARTBEAT_IVL, HEARTBEAT_MS);
  socket.setInt(ZMQ.HEARTBEAT_TIMEOUT, PEER_SILENCE_MS);
  socket.setInt(ZMQ.HANDSHAKE_IVL, PEER_SILENCE_MS);
  if (options.reconnectMs !== undefined) socket.setInt(ZMQ.RECONNECT_IVL, options.reconnectMs);
  if (options.reconnectMaxMs !== undefined) socket.setInt(ZMQ.RECONNECT_IVL_MAX, options.reconnectMaxMs);
  if (options.curve) socket.setCurve(options.curve);
  for (const subscription of options.subscriptions) socket.setBytes(ZMQ.SUBSCRIBE, subscription);
  return options.endpoints.map((endpoint) => socket.attach(endpoint));
}
