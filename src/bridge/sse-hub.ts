import type { Clock, Timer, Timers } from "../core/env.ts";
import { CatchUpTurns } from "./catch-up-turns.ts";
import type { ResyncEvent } from "./contract.ts";
import { Places } from "./places.ts";
import { type HubEvent, RetainedEvents } from "./retained-events.ts";
import { SseClient } from "./sse-client.ts";
import { encodeComment, encodeEvent, encodeRetry, joinFrames } from "./sse-frame.ts";
import { HUB_LIMITS, HUB_TIMES, type HubLimits, type HubTimes } from "./sse-limits.ts";
import { StreamGroup } from "./stream-group.ts";
import type { TopicFilter } from "./topic-filter.ts";

export interface HubDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Names this hub's life in event ids: without line breaks. */
  readonly epoch: string;
  /** The hub's own state: sent first on every connection and with each heartbeat, without an id. */
  greeting(): { readonly type: string; readonly data: unknown };
  readonly limits?: HubLimits;
  readonly times?: HubTimes;
}

export interface Publication {
  readonly type: string;
  /** Latest-wins under this name. */
  readonly key: string;
  /** The symbol or node it is about, for filters. */
  readonly subject: string;
  readonly data: unknown;
  /** Where a client that was not told the key's last event needs more than this one; asked at most once. */
  whole?(): unknown;
}

export interface StreamOptions {
  readonly signal?: AbortSignal;
  /** The id of the last event the client was told, with the same filter; null for none. */
  readonly lastEventId?: string | null;
  /** Null for everything. */
  readonly topics?: TopicFilter | null;
  /** Whom the bound per address counts; null for nobody. */
  readonly address?: string | null;
}

export interface HubCounters {
  readonly clients: number;
  /** Clients that have not been told all that was sent to those who keep up. */
  readonly slow: number;
  readonly events: number;
  /** Chunks handed to clients. */
  readonly sends: number;
  /** Events that slow clients were not told, because a newer one of the same key was. */
  readonly conflated: number;
  /** Clients cut off for not reading. */
  readonly cut: number;
  /** Clients refused at the limit. */
  readonly refused: number;
  /** Clients that went on from their last event, and those that could not. */
  readonly resumed: number;
  readonly resynced: number;
}

/** Between two slices of one burst, so that readers get their turn. */
const SLICE_GAP_MS = 1;
/** How long `close` leaves the sockets to take what was handed over. */
const CLOSE_GRACE_MS = 50;

/**
 * Sends events to many browsers: each event is encoded once, and clients with the same filter are handed the same bytes. The
 * newest event per key is retained: it is what a new client gets first, what one that comes back has missed, and what a slow
 * one gets when it reads again. On every connection ids rise and nothing is told twice.
 */
export class SseHub {
  readonly #deps: HubDeps;
  readonly #limits: HubLimits;
  readonly #times: HubTimes;
  readonly #groups = new Map<string, StreamGroup>();
  readonly #places: Places;
  readonly #retained = new RetainedEvents();
  readonly #turns: CatchUpTurns;
  #clients = 0;
  /** Events that some group wants and that were not sent yet, by seq. */
  #pending: HubEvent[] = [];
  #pendingBytes = 0;
  /** Clients that keep up have been told everything up to this seq. */
  #flushedThrough = 0;
  #flushedAtMs = -Infinity;
  #flushTimer: Timer | null = null;
  readonly #heartbeatTimer: Timer;
  #seq = 0;
  readonly #counts = { sends: 0, conflated: 0, cut: 0, refused: 0, resumed: 0, resynced: 0 };
  #closing: Promise<void> | null = null;

  constructor(deps: HubDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? HUB_LIMITS;
    this.#places = new Places(this.#limits.clientsPerAddress);
    this.#times = deps.times ?? HUB_TIMES;
    this.#turns = new CatchUpTurns(deps.timers, this.#limits.turnBytes);
    this.#heartbeatTimer = deps.timers.every(this.#times.heartbeatMs, () => this.#beat());
  }

  get counters(): HubCounters {
    let slow = 0;
    for (const group of this.#groups.values()) slow += group.countSlow(this.#flushedThrough);
    return { clients: this.#clients, slow, events: this.#seq, ...this.#counts };
  }

  /** The id of the newest event; `<epoch>-0` before the first. */
  get lastEventId(): string {
    return this.#id(this.#seq);
  }

  /** Sends an event to all who want it, and retains it. Costs no encoding while nobody does. */
  publish(publication: Publication): void {
    if (this.#closing) return;
    const { type, key, subject, data, whole } = publication;
    const seq = ++this.#seq;
    const part = once(() => encodeEvent(type, this.#id(seq), data));
    const event: HubEvent = {
      seq,
      key,
      type,
      subject,
      priorSeq: this.#retained.seqOf(key),
      part,
      whole: whole ? once(() => encodeEvent(type, this.#id(seq), whole())) : part,
    };
    this.#retained.put(event);
    let wanted = false;
    for (const group of this.#groups.values()) wanted = group.count(event) || wanted;
    if (wanted) this.#enqueue(event);
  }

  /** Leaves what is retained under `key` out of what clients get later. */
  forget(key: string): void {
    this.#retained.forget(key);
    for (const group of this.#groups.values()) group.dropCatchUp();
  }

  /**
   * A new client's byte stream: what it has missed since `lastEventId`, else (after a `resync` event where it asked for more) the
   * newest of everything, then what follows. Null at the client limit, in all or of its address, or after `close`.
   */
  connect(options: StreamOptions = {}): ReadableStream<Uint8Array> | null {
    const address = options.address ?? null;
    if (this.#closing || this.#clients >= this.#limits.clients || !this.#places.take(address)) {
      this.#counts.refused++;
      return null;
    }
    const group = this.#groupOf(options.topics ?? null);
    const since = this.#placeOf(options.lastEventId ?? null);
    const head = [encodeRetry(this.#times.retryMs), this.#greeting()];
    if (typeof since === "string") {
      const resync: ResyncEvent = { reason: since, epoch: this.#deps.epoch };
      head.push(encodeEvent("resync", null, resync));
    }
    const supply = () => this.#supply(client, group);
    const leave = () => {
      this.#turns.drop(supply);
      return this.#remove(client, group);
    };
    const client: SseClient = new SseClient({
      roomBytes: this.#limits.clientBytes,
      head: joinFrames(head),
      now: () => this.#deps.clock.monotonicMs(),
      onRoom: () => {
        if (client.isCatchingUp || client.through < this.#flushedThrough) this.#turns.ask(supply);
      },
      onGone: leave,
    });
    client.address = address;
    client.through = typeof since === "string" ? 0 : since;
    group.startCatchUp(client, this.#retained, this.#seq);
    group.clients.add(client);
    this.#clients++;
    this.#counts.sends++;
    this.#turns.ask(supply);
    const drop = () => {
      if (leave()) client.cut("the reader has gone");
    };
    if (options.signal?.aborted) drop();
    else options.signal?.addEventListener("abort", drop, { once: true });
    return client.stream;
  }

  /**
   * Sends what waits, ends every stream in order and takes nobody any more; resolves a moment later, when sockets that can take
   * it have it. What a slow client still lacks it gets from the next bridge's snapshot. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#flushAll();
    this.#heartbeatTimer.cancel();
    this.#turns.close();
    const had = this.#clients;
    for (const group of this.#groups.values()) for (const client of group.clients) client.end();
    this.#groups.clear();
    this.#clients = 0;
    this.#retained.clear();
    if (had > 0) await new Promise<void>((resolve) => this.#deps.timers.after(CLOSE_GRACE_MS, resolve));
  }

  /** The seq to go on from; a text says why there is none. */
  #placeOf(lastEventId: string | null): number | string {
    if (lastEventId === null || lastEventId === "") return 0;
    const [, epoch, digits] = /^(.{1,100})-(\d{1,15})$/.exec(lastEventId) ?? [];
    if (epoch === undefined || digits === undefined) return this.#resync("the last event's id is not one of a bridge");
    if (epoch !== this.#deps.epoch) return this.#resync("the bridge was started anew");
    if (Number(digits) > this.#seq) return this.#resync("the last event's id is newer than any of this bridge");
    this.#counts.resumed++;
    return Number(digits);
  }

  #resync(reason: string): string {
    this.#counts.resynced++;
    return reason;
  }

  #groupOf(filter: TopicFilter | null): StreamGroup {
    const key = filter?.key ?? "";
    const known = this.#groups.get(key);
    if (known) return known;
    const group = new StreamGroup(key, filter, this.#seq);
    this.#groups.set(key, group);
    return group;
  }

  #remove(client: SseClient, group: StreamGroup): boolean {
    if (!group.clients.delete(client)) return false;
    this.#clients--;
    this.#places.free(client.address);
    if (group.clients.size === 0) this.#groups.delete(group.key);
    return true;
  }

  /** Gives a client what it still lacks, as far as it has room; returns how many bytes. */
  #supply(client: SseClient, group: StreamGroup): number {
    const bytes = this.#givePieces(client);
    if (client.isCatchingUp || client.through >= this.#flushedThrough || !group.clients.has(client)) return bytes;
    this.#counts.conflated += group.startCatchUp(client, this.#retained, this.#seq);
    return bytes + this.#givePieces(client);
  }

  #givePieces(client: SseClient): number {
    const { pieces, bytes } = client.givePieces(this.#limits.flushBytes);
    this.#counts.sends += pieces;
    return bytes;
  }

  #enqueue(event: HubEvent): void {
    this.#pending.push(event);
    this.#pendingBytes += event.part().byteLength;
    if (this.#pendingBytes > this.#limits.pendingBytes) this.#flushAll();
    else if (this.#flushTimer === null) {
      const paceMs = Math.min(this.#times.paceMostMs, this.#clients * this.#times.pacePerClientMs);
      const restMs = this.#flushedAtMs + paceMs - this.#deps.clock.monotonicMs();
      this.#scheduleFlush(Math.max(this.#times.flushMs, restMs));
    }
  }

  #scheduleFlush(delayMs: number): void {
    this.#flushTimer = this.#deps.timers.after(delayMs, () => {
      this.#flushTimer = null;
      this.#flushSome();
      if (this.#pending.length > 0) this.#scheduleFlush(SLICE_GAP_MS);
    });
  }

  #flushAll(): void {
    this.#flushTimer?.cancel();
    this.#flushTimer = null;
    while (this.#pending.length > 0) this.#flushSome();
  }

  /** Sends the oldest pending events up to `flushBytes`, at least one. */
  #flushSome(): void {
    let bytes = 0;
    let count = 0;
    for (const event of this.#pending) {
      const size = event.part().byteLength;
      if (count > 0 && bytes + size > this.#limits.flushBytes) break;
      bytes += size;
      count++;
    }
    const events = this.#pending.splice(0, count);
    this.#pendingBytes -= bytes;
    const since = this.#flushedThrough;
    const [next] = this.#pending;
    this.#flushedThrough = next ? next.seq - 1 : this.#seq;
    this.#flushedAtMs = this.#deps.clock.monotonicMs();
    for (const group of this.#groups.values()) this.#counts.sends += group.send(events, since, this.#flushedThrough);
  }

  /** Cuts off those who do not read, and tells the others that the bridge is alive. */
  #beat(): void {
    if (this.#clients === 0) return;
    const { stuckMs, catchUpMs } = this.#limits;
    const frame = joinFrames([encodeComment("beat"), this.#greeting()]);
    for (const group of [...this.#groups.values()]) {
      for (const client of group.clients) {
        if (client.stuckMs() > stuckMs) this.#cut(client, group, `nothing was read for ${stuckMs} ms`);
        else if (client.catchingUpMs() > catchUpMs)
          this.#cut(client, group, `it took over ${catchUpMs} ms to catch up`);
        else if (client.give(frame)) this.#counts.sends++;
      }
    }
  }

  #cut(client: SseClient, group: StreamGroup, reason: string): void {
    if (!this.#remove(client, group)) return;
    this.#counts.cut++;
    client.cut(reason);
  }

  #greeting(): Uint8Array {
    const { type, data } = this.#deps.greeting();
    return encodeEvent(type, null, data);
  }

  #id(seq: number): string {
    return `${this.#deps.epoch}-${seq}`;
  }
}

function once(encode: () => Uint8Array): () => Uint8Array {
  let frame: Uint8Array | null = null;
  return () => {
    frame ??= encode();
    return frame;
  };
}
