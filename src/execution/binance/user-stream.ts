import type { Clock, Log, OpenSocket, Random, Socket, Timer, Timers } from "../../core/env.ts";
import { messageOf } from "../../core/errors.ts";
import { type Row, rowOf } from "./fields.ts";
import { CODES } from "./reply.ts";
import type { Parameters, Signer } from "./signing.ts";

export interface UserStreamOptions {
  readonly url: string;
  readonly signer: Signer;
}

export interface UserStreamDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly openSocket: OpenSocket;
  readonly log: Log;
  /** Makes sure of the venue's time; null where it is known, else why not. */
  sync(): Promise<string | null>;
  /** timestamp and recvWindow of a request signed now. */
  timing(): Parameters;
  /** The venue refused our time. */
  distrustTime(): void;
}

export interface UserStreamSink {
  onEvent(event: Row): void;
  /** Subscribed (again): what happened before was not heard. */
  onLive(): void;
}

/** From the start of a connection to its subscription; between two signs of life; for the answer to one. */
const SUBSCRIBE_WITHIN_MS = 10_000;
const PING_EVERY_MS = 30_000;
const PONG_WITHIN_MS = 10_000;
const BACKOFF_MS = 250;
const BACKOFF_MAX_MS = 10_000;

/**
 * The account's events over the WebSocket API, for as long as `start` to `stop`: connects, subscribes by
 * `userDataStream.subscribe.signature` (the listenKey of old was retired on 2026-02-20; "User Data Stream requests"), asks for a
 * sign of life every 30 s, and connects again after a loss with a delay of 250 ms doubling to 10 s, of which up to a half is
 * left out by chance. What happened meanwhile is never sent again by the venue: `onLive` says when to look for it.
 */
export class UserStream {
  readonly #options: UserStreamOptions;
  readonly #deps: UserStreamDeps;
  readonly #sink: UserStreamSink;
  #socket: Socket | null = null;
  #timer: Timer | null = null;
  #live = false;
  #stopped = true;
  #attempts = 0;
  #nextId = 1;
  #subscribeId: number | null = null;
  #lastHeardMs = 0;
  #events = 0;
  #unreadable = 0;
  #losses = 0;
  #told = false;

  constructor(options: UserStreamOptions, deps: UserStreamDeps, sink: UserStreamSink) {
    this.#options = options;
    this.#deps = deps;
    this.#sink = sink;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      "venue.stream.live": this.#live ? 1 : 0,
      "venue.stream.events.total": this.#events,
      "venue.stream.unreadable.total": this.#unreadable,
      "venue.stream.lost.total": this.#losses,
    };
  }

  /** Idempotent while it runs. */
  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#connect();
  }

  /** Idempotent; nothing is told after it. */
  stop(): void {
    this.#stopped = true;
    this.#live = false;
    this.#timer?.cancel();
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #connect(): void {
    this.#subscribeId = null;
    const socket: Socket = this.#deps.openSocket(this.#options.url, {
      onOpen: () => {
        if (this.#socket === socket)
          this.#subscribe(socket).catch((error: unknown) => {
            if (this.#socket === socket) this.#lose(messageOf(error));
          });
      },
      onMessage: (text) => {
        if (this.#socket === socket) this.#onMessage(text);
      },
      onClose: (reason) => {
        if (this.#socket === socket) this.#lose(reason);
      },
    });
    this.#socket = socket;
    this.#arm(SUBSCRIBE_WITHIN_MS, () => this.#lose("not subscribed in time"));
  }

  async #subscribe(socket: Socket): Promise<void> {
    const unknown = await this.#deps.sync();
    if (this.#socket !== socket) return;
    if (unknown !== null) return this.#lose(unknown);
    this.#subscribeId = this.#nextId++;
    const params = this.#options.signer.socketParameters(this.#deps.timing());
    socket.send(JSON.stringify({ id: this.#subscribeId, method: "userDataStream.subscribe.signature", params }));
  }

  #onMessage(text: string): void {
    this.#lastHeardMs = this.#deps.clock.monotonicMs();
    try {
      const message = rowOf(JSON.parse(text));
      if (message.event !== undefined) this.#onEvent(rowOf(message.event));
      else if (message.id === this.#subscribeId) this.#onSubscribed(message);
      else if (message.status !== 200) this.#lose(`the venue refused a sign of life (${String(message.status)})`);
    } catch (error) {
      this.#unreadable++;
      if (this.#unreadable === 1) this.#deps.log.warn(`The venue's stream cannot be read: ${messageOf(error)}`);
    }
  }

  #onEvent(event: Row): void {
    if (event.e === "serverShutdown" || event.e === "eventStreamTerminated") this.#lose(`the venue says ${event.e}`);
    else {
      this.#events++;
      this.#sink.onEvent(event);
    }
  }

  #onSubscribed(message: Row): void {
    if (message.status !== 200) {
      const { code, msg } = rowOf(message.error ?? {});
      if (code === CODES.timestamp) this.#deps.distrustTime();
      this.#lose(`the venue refused the subscription: ${String(msg)} (${String(code)})`);
      return;
    }
    this.#live = true;
    this.#attempts = 0;
    if (this.#told) this.#deps.log.info("The account's stream is back");
    this.#told = false;
    this.#arm(PING_EVERY_MS, () => this.#ping());
    this.#sink.onLive();
  }

  #ping(): void {
    const sentMs = this.#deps.clock.monotonicMs();
    this.#socket?.send(JSON.stringify({ id: this.#nextId++, method: "ping" }));
    this.#arm(PONG_WITHIN_MS, () => {
      if (this.#lastHeardMs < sentMs) this.#lose("the venue gives no sign of life");
      else this.#arm(PING_EVERY_MS - PONG_WITHIN_MS, () => this.#ping());
    });
  }

  #lose(reason: string): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#live = false;
    socket?.close();
    if (this.#stopped) return;
    this.#losses++;
    const longest = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(this.#attempts, 10));
    this.#attempts++;
    const delayMs = Math.round(longest * (1 - this.#deps.random.next() / 2));
    if (!this.#told) this.#deps.log.warn(`The account's stream is lost (${reason}); orders are looked up meanwhile`);
    this.#told = true;
    this.#arm(delayMs, () => this.#connect());
  }

  /** One timer at a time: each state has one thing to wait for. */
  #arm(delayMs: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#deps.timers.after(delayMs, () => {
      this.#timer = null;
      run();
    });
  }
}
