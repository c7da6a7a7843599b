import type { Clock, HttpReply, HttpRequest, HttpSend } from "../../core/env.ts";
import { assert, messageOf } from "../../core/errors.ts";
import { BrokerClock } from "./broker-clock.ts";
import type { VenueEndpoint } from "./endpoint.ts";
import { CODES, headerOf, type Reply, readReply } from "./reply.ts";
import { RequestGate } from "./request-gate.ts";
import { formOf, type Parameters, type Signer } from "./signing.ts";

export interface VenueRestOptions {
  readonly endpoint: VenueEndpoint;
  readonly signer: Signer;
  /** On the venue's clock, at speed 1. */
  readonly recvWindowMs: number;
  /** Wall ms that one request may take. */
  readonly timeoutMs: number;
}

export interface VenueRestDeps {
  readonly clock: Clock;
  readonly httpSend: HttpSend;
}

/** Binance's largest recvWindow. */
const MAX_RECV_WINDOW_MS = 60_000;
/**
 * A request is signed within so many wall ms of being asked for, or not sent at all: so the time after which an order can
 * still come to life has a bound. It covers a wait for a place, the venue's time and a first attempt refused for its timestamp.
 */
export const SIGNED_WITHIN_MS = 5000;
const RETRY_SOON_MS = 1000;

/**
 * Binance's REST API: signs, sends once, and says what came of it. Only a refusal of the timestamp (-1021), by which the venue
 * certainly did nothing, is followed by a second attempt, after the venue was asked for its time. Every call resolves in a
 * bounded time (each of its up to four requests within SIGNED_WITHIN_MS and a time-out), and none rejects.
 */
export class VenueRest {
  readonly venueClock: BrokerClock;
  readonly #options: VenueRestOptions;
  readonly #deps: VenueRestDeps;
  readonly #gate: RequestGate;
  readonly #counters = { requests: 0, unclear: 0, limited: 0, banned: 0, late: 0 };
  #syncing: Promise<string | null> | null = null;

  constructor(options: VenueRestOptions, deps: VenueRestDeps) {
    this.#options = options;
    this.#deps = deps;
    this.venueClock = new BrokerClock(deps.clock);
    this.#gate = new RequestGate(deps.clock);
  }

  /** recvWindow as it is sent: a simulated venue that runs faster than the wall gets as much wall time as a real one. */
  get recvWindowMs(): number {
    return Math.min(MAX_RECV_WINDOW_MS, Math.ceil(this.#options.recvWindowMs * this.venueClock.speed));
  }

  /** What every signed request says of its time. Only after `sync` gave null. */
  timing(): Parameters {
    const nowMs = this.venueClock.nowMs();
    assert(nowMs !== null, "the venue's time is known once sync has said so");
    return [
      ["recvWindow", String(this.recvWindowMs)],
      ["timestamp", String(nowMs)],
    ];
  }

  counters(): Readonly<Record<string, number>> {
    const { requests, unclear, limited, banned, late } = this.#counters;
    return {
      "venue.requests.total": requests,
      "venue.requests.unclear.total": unclear,
      "venue.requests.limited.total": limited,
      "venue.requests.banned.total": banned,
      "venue.requests.late.total": late,
      "venue.requests.held.total": this.#gate.held,
      "venue.weight.used": this.#gate.usedWeight,
    };
  }

  /**
   * A signed request: GET's parameters in the query, POST's in the body. `path` without the query; `askedAtMs` (monotonic) is when
   * its bound began, now unless given. `withheld` is asked beside the signing: why nothing is to be sent after all.
   */
  async signed(
    method: "GET" | "POST",
    path: string,
    parameters: Parameters,
    askedAtMs: number = this.#deps.clock.monotonicMs(),
    withheld: () => string | null = () => null,
  ): Promise<Reply> {
    const first = await this.#signedOnce(method, path, parameters, askedAtMs, withheld);
    if (first.type !== "refused" || first.code !== CODES.timestamp) return first;
    this.#counters.late++;
    this.venueClock.distrust();
    const second = await this.#signedOnce(method, path, parameters, askedAtMs, withheld);
    if (second.type !== "refused" || second.code !== CODES.timestamp) return second;
    return {
      type: "unsent",
      reason: `the venue refused our time twice: ${second.message}`,
      retryAfterMs: RETRY_SOON_MS,
    };
  }

  /** A public GET. */
  public(path: string, parameters: Parameters): Promise<Reply> {
    const query = formOf(parameters);
    const askedAtMs = this.#deps.clock.monotonicMs();
    return this.#through(false, askedAtMs, () => this.#get(query === "" ? path : `${path}?${query}`, {}));
  }

  /** Makes sure that the venue's time is known; null where it is, else why not. */
  sync(): Promise<string | null> {
    if (!this.venueClock.stale) return Promise.resolve(null);
    this.#syncing ??= this.#askTime().finally(() => {
      this.#syncing = null;
    });
    return this.#syncing;
  }

  async #askTime(): Promise<string | null> {
    const path = "/api/v3/time";
    let speed = 1;
    const reply = await this.#through(true, this.#deps.clock.monotonicMs(), () =>
      this.#get(path, {}, (headers) => {
        speed = Number(headerOf(headers, "x-sim-speed") ?? "1");
      }),
    );
    const time = reply.type === "ok" ? (reply.body as { readonly serverTime?: unknown } | null)?.serverTime : undefined;
    if (typeof time !== "number") return `the venue's time is not known (${reasonOf(reply)})`;
    this.venueClock.told(time, speed);
    return null;
  }

  async #signedOnce(
    method: "GET" | "POST",
    path: string,
    parameters: Parameters,
    askedAtMs: number,
    withheld: () => string | null,
  ): Promise<Reply> {
    const { signer, endpoint } = this.#options;
    const unknown = await this.sync();
    if (unknown !== null) return { type: "unsent", reason: unknown, retryAfterMs: RETRY_SOON_MS };
    return this.#through(method === "POST", askedAtMs, async () => {
      const reason = withheld();
      if (reason !== null) return { type: "unsent", reason, retryAfterMs: 0 };
      // Signed here, after every wait: the signature's time is that of the sending.
      const form = signer.form([...parameters, ...this.timing()]);
      if (method === "GET") return this.#get(`${path}?${form}`, signer.header());
      const headers = { ...signer.header(), "content-type": "application/x-www-form-urlencoded" };
      return this.#send({ method, url: endpoint.restUrl + path, headers, body: form });
    });
  }

  #get(
    pathAndQuery: string,
    headers: HttpRequest["headers"],
    onHeaders?: (headers: HttpReply["headers"]) => void,
  ): Promise<Reply> {
    const url = this.#options.endpoint.restUrl + pathAndQuery;
    return this.#send({ method: "GET", url, headers, body: null }, onHeaders);
  }

  /** Runs what sends a request once there is a place for it and no limit against it. */
  async #through(isOrder: boolean, askedAtMs: number, send: () => Promise<Reply>): Promise<Reply> {
    const full = await this.#gate.enter();
    if (full) return { type: "unsent", ...full };
    try {
      const closed = this.#gate.closed(isOrder);
      if (closed) return { type: "unsent", ...closed };
      if (this.#deps.clock.monotonicMs() - askedAtMs <= SIGNED_WITHIN_MS) return await send();
      return {
        type: "unsent",
        reason: `it could not be sent within ${SIGNED_WITHIN_MS} ms`,
        retryAfterMs: RETRY_SOON_MS,
      };
    } finally {
      this.#gate.leave();
    }
  }

  async #send(request: HttpRequest, onHeaders?: (headers: HttpReply["headers"]) => void): Promise<Reply> {
    this.#counters.requests++;
    let answer: HttpReply;
    try {
      answer = await this.#deps.httpSend(request, this.#options.timeoutMs);
    } catch (error) {
      this.#counters.unclear++;
      // A runtime may quote the address it was given, signature and all.
      return { type: "unclear", reason: messageOf(error).replace(/\bsignature=\w+/g, "signature=…") };
    }
    this.#gate.noteWeight(Number(headerOf(answer.headers, "x-mbx-used-weight-1m") ?? Number.NaN));
    onHeaders?.(answer.headers);
    const reply = readReply(answer);
    if (reply.type === "unclear") this.#counters.unclear++;
    if (reply.type === "limited") {
      this.#counters.limited++;
      if (reply.banned) this.#counters.banned++;
      this.#gate.shut(reply.message, reply.retryAfterMs);
    }
    return reply;
  }
}

/** Why a request gave nothing, for a person. */
export function reasonOf(reply: Reply): string {
  switch (reply.type) {
    case "ok":
      return "its answer has not the expected form";
    case "refused":
      return `${reply.message} (${reply.code})`;
    case "limited":
      return reply.message;
    default:
      return reply.reason;
  }
}
