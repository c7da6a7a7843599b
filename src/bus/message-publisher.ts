import type { Clock, Log } from "../core/env.ts";
import { messageOf } from "../core/errors.ts";
import { type Envelope, WIRE_VERSION } from "../core/wire.ts";
import { RateLimitedLog } from "./rate-limited-log.ts";

/** A body less its envelope. */
export type BodyFields<Body extends Envelope> = Omit<Body, keyof Envelope>;

export interface MessagePublisherDeps {
  /** A ZmqPublisher, or what stands for one. */
  readonly publisher: { publish(topic: string, body: string): void };
  readonly clock: Clock;
  readonly log: Log;
}

export interface MessagePublisherOptions {
  readonly node: string;
  /** Names this life of the publisher: fresh at every start. */
  readonly epoch: string;
  /** Topics whose counters are remembered, 1 or more. */
  readonly maxTopics?: number;
}

const DEFAULT_MAX_TOPICS = 16_384;

/** Puts the envelope of core/wire.ts around messages and writes them as JSON. Never blocks, never throws. */
export class MessagePublisher {
  readonly #deps: MessagePublisherDeps;
  readonly #options: MessagePublisherOptions;
  readonly #trouble: RateLimitedLog;
  readonly #maxTopics: number;
  /** The newest `seq` per topic, least recently used first. */
  readonly #seqs = new Map<string, number>();
  /** The largest `seq` of a topic forgotten at the bound: later ones start above it, so that seq never goes back. */
  #forgottenSeq = 0;
  #failed = 0;

  constructor(options: MessagePublisherOptions, deps: MessagePublisherDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#maxTopics = options.maxTopics ?? DEFAULT_MAX_TOPICS;
    this.#trouble = new RateLimitedLog(deps.log, deps.clock);
  }

  /** Bodies that could not be written as JSON since the start. */
  get failed(): number {
    return this.#failed;
  }

  /**
   * Publishes the envelope and `fields` (flat JSON values, none named as an envelope field). `seq` advances even where the
   * message is then dropped, so that the hole can be seen. Topics beyond `maxTopics`: the least recently used is forgotten.
   */
  publish(topic: string, fields: object): void {
    const seq = this.#nextSeq(topic);
    const { node, epoch } = this.#options;
    const envelope: Envelope = { v: WIRE_VERSION, node, epoch, seq, sentAt: this.#deps.clock.nowMs() };
    try {
      this.#deps.publisher.publish(topic, JSON.stringify({ ...envelope, ...fields }));
    } catch (error) {
      this.#failed++;
      this.#trouble.warn("json", `Dropped a message on ${topic}: ${messageOf(error)}`);
    }
  }

  #nextSeq(topic: string): number {
    const seq = (this.#seqs.get(topic) ?? this.#forgottenSeq) + 1;
    this.#seqs.delete(topic);
    this.#seqs.set(topic, seq);
    if (this.#seqs.size > this.#maxTopics) this.#forgetOldest();
    return seq;
  }

  #forgetOldest(): void {
    for (const [topic, seq] of this.#seqs) {
      this.#seqs.delete(topic);
      this.#forgottenSeq = Math.max(this.#forgottenSeq, seq);
      return;
    }
  }
}
