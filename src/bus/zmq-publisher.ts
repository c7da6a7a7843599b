import type { Clock, Log } from "../core/env.ts";
import { messageOf } from "../core/errors.ts";
import type { CurveOptions, PubSocket, SendResult, ZmqBackend } from "../zmq/contract.ts";
import { type BusEndpoints, listEndpoints } from "./endpoints.ts";
import { RateLimitedLog } from "./rate-limited-log.ts";

/** ZMQ_SNDHWM, messages per subscriber, where none is asked for. */
export const DEFAULT_SEND_HIGH_WATER_MARK = 100_000;

export interface ZmqPublisherOptions {
  readonly endpoints: BusEndpoints;
  /**
   * Messages that may wait for one subscriber, 1 or more. At it libzmq drops the newest for that subscriber alone and tells
   * nobody: only the gaps in `seq` show it.
   */
  readonly sendHighWaterMark?: number;
  readonly curve?: CurveOptions;
}

export interface ZmqPublisherDeps {
  readonly backend: ZmqBackend;
  readonly clock: Clock;
  readonly log: Log;
}

/** Totals since open. `failed` counts topics that are empty or hold a space, errors of libzmq and sends after close. */
export type PublisherCounters = Readonly<Record<SendResult, number>>;

/** A PUB socket that cannot hurt its owner: what goes wrong is counted, said at most once a second per kind, and forgotten. */
export class ZmqPublisher implements Disposable {
  readonly #socket: PubSocket;
  readonly #trouble: RateLimitedLog;
  readonly #counters: Record<SendResult, number> = { sent: 0, again: 0, oversize: 0, failed: 0 };

  /** Binds and connects. Throws FabricError: "usage" for a bad endpoint, "unavailable" for one in use, "io" for an ipc path. */
  constructor(options: ZmqPublisherOptions, deps: ZmqPublisherDeps) {
    this.#trouble = new RateLimitedLog(deps.log, deps.clock);
    this.#socket = deps.backend.openPublisher({
      endpoints: listEndpoints(options.endpoints),
      sendHighWaterMark: options.sendHighWaterMark ?? DEFAULT_SEND_HIGH_WATER_MARK,
      ...(options.curve && { curve: options.curve }),
    });
  }

  /** The real addresses, binds before connects; port 0 resolved. */
  get endpoints(): readonly string[] {
    return this.#socket.endpoints;
  }

  /** Sends `topic`, a space and `body` as one frame. Synchronous; never blocks, never throws, never retries. */
  publish(topic: string, body: string): void {
    const result = this.#send(topic, body);
    this.#counters[result]++;
    if (result !== "sent") this.#report(result, topic);
  }

  /** As PubSocket.rebindLost: for the holder of the node's name. */
  rebindLost(): readonly string[] {
    return this.#socket.rebindLost();
  }

  counters(): PublisherCounters {
    return { ...this.#counters };
  }

  /** What is unsent is dropped (LINGER 0). Idempotent; publishing after it counts as failed. */
  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #send(topic: string, body: string): SendResult {
    if (topic === "" || topic.includes(" ")) return "failed";
    try {
      return this.#socket.send(`${topic} ${body}`);
    } catch (error) {
      this.#trouble.warn("threw", `Cannot publish on ${topic}: ${messageOf(error)}`);
      return "failed";
    }
  }

  #report(result: Exclude<SendResult, "sent">, topic: string): void {
    const why = {
      again: "libzmq cannot take it now",
      oversize: "the frame is larger than the maximum",
      failed: this.#socket.lastError ?? "the topic is empty or has a space",
    }[result];
    this.#trouble.warn(result, `Dropped a message on ${topic}: ${why}`);
  }
}
