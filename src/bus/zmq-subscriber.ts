import type { Clock, Log } from "../core/env.ts";
import { messageOf } from "../core/errors.ts";
import type { Frame } from "../core/topic.ts";
import type { FrameBatch, SubCounters, SubSocket, ZmqBackend, ZmqStatus } from "../zmq/contract.ts";
import { decodeBatch } from "./decode-batch.ts";
import { MessageStream } from "./message-stream.ts";
import { RateLimitedLog } from "./rate-limited-log.ts";
import { StatusStream } from "./status-stream.ts";
import { type Filter, socketOptions, subscriptionOf, type ZmqSubscriberOptions } from "./subscriber-options.ts";

export interface ZmqSubscriberDeps {
  readonly backend: ZmqBackend;
  readonly clock: Clock;
  readonly log: Log;
}

/** Totals since open. `malformed` includes frames that are not UTF-8, `statusesLost` those of the status stream. */
export interface SubscriberCounters extends SubCounters {
  /** Exceptions (and rejections) out of the consumer's callbacks; each is caught and logged at most once a second. */
  readonly consumerErrors: number;
  /** Messages not taken because the iterator had been ended. */
  readonly discarded: number;
}

/**
 * A SUB socket read in the background. Safe to open before any publisher; survives their death and return. Messages come
 * by callback, or where none is given by iterating the subscriber; connection life comes by `onStatus` and `statuses`.
 * The one queue is the receiving thread's (see bufferMessages): a batch counts as consumed when the callback has returned,
 * or the iterator asks for what lies behind it.
 */
export class ZmqSubscriber implements AsyncIterable<Frame>, AsyncDisposable {
  /** Statuses as they come, from open on. */
  readonly statuses = new StatusStream();
  readonly #options: ZmqSubscriberOptions;
  readonly #trouble: RateLimitedLog;
  readonly #stream = new MessageStream();
  #socket: SubSocket | null = null;
  #undecodable = 0;
  #consumerErrors = 0;

  private constructor(options: ZmqSubscriberOptions, deps: ZmqSubscriberDeps) {
    this.#options = options;
    this.#trouble = new RateLimitedLog(deps.log, deps.clock);
  }

  /**
   * Resolves once bound or connecting and subscribed. Rejects with FabricError: "usage" for a bad endpoint, filter or bound,
   * "unavailable" for an address in use or a platform without libzmq, "io" for an ipc path.
   */
  static async open(options: ZmqSubscriberOptions, deps: ZmqSubscriberDeps): Promise<ZmqSubscriber> {
    const subscriber = new ZmqSubscriber(options, deps);
    subscriber.#socket = await deps.backend.openSubscriber(socketOptions(options), {
      onFrames: (batch, done) => subscriber.#receive(batch, done),
      onStatus: (status) => subscriber.#hear(status),
    });
    return subscriber;
  }

  /** The real addresses, binds before connects; port 0 resolved. */
  get endpoints(): readonly string[] {
    return this.#socket?.endpoints ?? [];
  }

  counters(): SubscriberCounters {
    const counters = this.#open().counters();
    return {
      ...counters,
      malformed: counters.malformed + this.#undecodable,
      statusesLost: counters.statusesLost + this.statuses.lost,
      consumerErrors: this.#consumerErrors,
      discarded: this.#stream.discarded,
    };
  }

  /** Takes effect soon after, for what publishers send from then on. Throws FabricError "usage" for a filter with a space. */
  subscribe(filter: Filter): void {
    this.#open().subscribe(subscriptionOf(filter));
  }

  /** Undoes one `subscribe` or opening filter of the same text. */
  unsubscribe(filter: Filter): void {
    this.#open().unsubscribe(subscriptionOf(filter));
  }

  /** Throws FabricError "usage" for a malformed address. */
  connect(address: string): void {
    this.#open().connect(address);
  }

  /** As `connect`; an address that was not connected becomes a "failed" status. */
  disconnect(address: string): void {
    this.#open().disconnect(address);
  }

  /** The messages, for one consumer; ending the iteration discards what comes after and leaves the socket open. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Frame> {
    return this.#stream;
  }

  /** Resolves once the thread is gone, at most about a second later, whatever the state. Iterators end. Idempotent. */
  async close(): Promise<void> {
    await this.#open().close();
    this.#stream.finish();
    this.statuses.finish();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(): SubSocket {
    if (!this.#socket) throw new Error("A subscriber is used only after open() has resolved");
    return this.#socket;
  }

  #receive(batch: FrameBatch, done: () => void): void {
    const { messages, undecodable } = decodeBatch(batch, this.#options.conflate === "topic");
    this.#undecodable += undecodable;
    const { onMessage, onMessages } = this.#options;
    if (!onMessage && !onMessages) {
      this.#stream.offer({ messages, done });
      return;
    }
    if (onMessages && messages.length > 0) this.#guard("onMessages", onMessages, messages);
    if (onMessage) for (const message of messages) this.#guard("onMessage", onMessage, message);
    done();
  }

  #hear(status: ZmqStatus): void {
    if (status.type === "failed" || status.type === "handshake-failed") {
      this.#trouble.warn(status.type, `A subscriber's connection failed: ${status.reason}`);
    } else if (status.type === "overflow") {
      this.#trouble.warn(status.type, `A subscriber dropped ${status.dropped} messages, its consumer is too slow`);
    }
    this.statuses.push(status);
    if (this.#options.onStatus) this.#guard("onStatus", this.#options.onStatus, status);
    if (status.type === "closed") {
      this.#stream.finish();
      this.statuses.finish();
    }
  }

  /** Calls a consumer's callback; what it throws, or rejects with where it is an async function, stays here. */
  #guard<T>(name: string, callback: (value: T) => unknown, value: T): void {
    const fail = (error: unknown) => {
      this.#consumerErrors++;
      this.#trouble.warn(name, `A subscriber's ${name} callback threw: ${messageOf(error)}`);
    };
    try {
      const result = callback(value);
      if (result instanceof Promise) result.catch(fail);
    } catch (error) {
      fail(error);
    }
  }
}
