import type { Clock, Log, OpenSqlite, Timers } from "../../../core/env.ts";
import { FabricError, messageOf } from "../../../core/errors.ts";
import { errorBody, RestError } from "../rest-error.ts";
import type { Tape } from "../tape.ts";
import { AccountBook } from "./account-book.ts";
import { Delays } from "./delays.ts";
import { type Liquidity, MatchingEngine, type OrderEvent } from "./engine.ts";
import { FaultDice, type Luck, type VenueFaults } from "./faults.ts";
import { RateLimit, TooMany } from "./rate-limit.ts";
import { type AccountKeys, checkSignature, checkTiming, parametersOf, signedPayload } from "./signed-request.ts";
import { UserStreamHub } from "./user-stream-hub.ts";
import { type Call, type Route, SIGNED_ROUTES } from "./venue-rest.ts";
import { executionReport } from "./wire.ts";

export interface SimVenueOptions {
  readonly keys: AccountKeys;
  /** Of a new account: counts of 10^-8 by asset. */
  readonly balances: ReadonlyMap<string, bigint>;
  readonly faults: VenueFaults;
  /** What commissions are paid in where that can be; null for what is received. */
  readonly feeAsset: string | null;
  /** Of the faults: 0 to 2^53 - 1. */
  readonly seed: number;
  /** Request weight allowed in a minute (Binance allows 6,000). */
  readonly weightPerMinute: number;
  /** The account's file, or ":memory:". */
  readonly path: string;
}

export interface SimVenueDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly openSqlite: OpenSqlite;
  readonly tape: Tape;
  /** Exchange ms per wall ms. */
  readonly speed: number;
  /** Headers that every answer carries. */
  readonly headers: Readonly<Record<string, string>>;
  /** Brings the market up to now and returns the exchange's time. */
  readonly advance: () => number;
}

/** How long Binance lets a request wait for its matching engine before it answers -1007. */
const BACKEND_TIMEOUT_MS = 10_000;
/** Wall ms between two looks at the open orders; a request looks at once. */
const CATCH_UP_EVERY_MS = 20;
const USUAL: Liquidity = { percent: 100, rest: "expires" };
const OVERLOADED = "Server is currently overloaded with other requests. Please try again in a few minutes.";
const STATUS_UNKNOWN = "Unknown error, please check your request or try again later.";

/**
 * The trading side of the simulated exchange: Binance spot's signed REST endpoints and user data stream for one account, with
 * the bad days asked for. An order is durable before its answer or any report. Throws as AccountBook where it cannot be kept.
 */
export class SimVenue {
  readonly stream: UserStreamHub;
  readonly #deps: SimVenueDeps;
  readonly #keys: AccountKeys;
  readonly #book: AccountBook;
  readonly #engine: MatchingEngine;
  readonly #dice: FaultDice;
  readonly #limit: RateLimit;
  readonly #delays: Delays;
  #requests = 0;
  #reports = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #failed = 0;
  #stopped = false;

  constructor(options: SimVenueOptions, deps: SimVenueDeps) {
    this.#deps = deps;
    this.#keys = options.keys;
    this.#book = new AccountBook(deps.openSqlite, options);
    this.#engine = new MatchingEngine(deps.tape, this.#book, options.feeAsset);
    this.#dice = new FaultDice(options.seed, options.faults);
    this.#limit = new RateLimit(deps.clock, options.weightPerMinute);
    this.#delays = new Delays(deps.timers);
    this.stream = new UserStreamHub({
      keys: options.keys,
      nowMs: deps.advance,
      take: (weight) => this.#limit.take(weight),
    });
  }

  counters(): Readonly<Record<string, number>> {
    return {
      "venue.requests.total": this.#requests,
      "venue.orders.total": this.#book.orders,
      "venue.orders.open": this.#book.openOrders().length,
      "venue.weight.used": this.#limit.used,
      "venue.bans.total": this.#limit.bans,
      "venue.failed.total": this.#failed,
      ...this.stream.counters(),
      ...this.#dice.counters(),
    };
  }

  /** The endpoint that a request is for; undefined where it is none of the signed ones. */
  route(request: Request): Route | undefined {
    const name = /^\/api\/v3\/(\w+)$/.exec(new URL(request.url).pathname)?.[1];
    return SIGNED_ROUTES.get(`${request.method} ${name}`);
  }

  /** Answers a signed request, or breaks its connection off. */
  async answer(request: Request, route: Route): Promise<Response> {
    const luck = this.#dice.luck("request", ++this.#requests);
    const query = new URL(request.url).search.slice(1);
    const body = await request.text();
    if (luck.has("lost")) return broken(this.#deps.timers);
    const slow = luck.has("slow") ? luck.between("slow for", 50, 2000) : 0;
    const slowAfter = luck.between("slow after", 0, 1) === 1;
    if (!slowAfter) await this.#delays.wait(slow);
    const response = await this.#serve({ request, route, luck, query, body });
    if (slowAfter && slow > 0) await this.#delays.wait(slow);
    return response;
  }

  /** Lets open orders fill with what the tape traded. Cheap while there are none. */
  tick(nowMs: number): void {
    const at = this.#deps.clock.monotonicMs();
    if (this.#stopped || at - this.#lookedAtMs < CATCH_UP_EVERY_MS) return;
    this.#catchUp(nowMs);
  }

  /** Idempotent. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.stream.shutdown();
    this.#delays.end();
    this.#book.close();
  }

  async #serve(asked: {
    readonly request: Request;
    readonly route: Route;
    readonly luck: Luck;
    readonly query: string;
    readonly body: string;
  }): Promise<Response> {
    const { request, route, luck, query, body } = asked;
    const isOrder = request.method === "POST";
    try {
      if (this.#stopped) return broken(this.#deps.timers);
      const parameters = parametersOf(query, body);
      if (luck.has("ban")) throw new TooMany(418, "Way too much request weight used; IP banned.", 2000);
      if (luck.has("busy")) throw new TooMany(429, "Too many requests queued.", 1000);
      this.#limit.take(route.weight(parameters));
      const signature = parameters.get("signature");
      checkSignature(this.#keys, request.headers.get("x-mbx-apikey"), signature, signedPayload(query, body));
      const nowMs = this.#deps.advance();
      checkTiming(parameters, nowMs + luck.skewMs);
      this.#catchUp(nowMs);
      const call = {
        parameters,
        nowMs,
        liquidity: isOrder ? liquidityOf(luck) : USUAL,
        seenThroughMs: this.#seenThrough(nowMs, luck, isOrder),
      };
      if (luck.has("http-503")) return this.#unavailable(route, call, luck, isOrder);
      if (!isOrder) return this.#json(200, JSON.stringify(this.#run(route, call, luck)));
      if (luck.has("reject")) throw new RestError(400, -2010, "This action is disabled on this account.");
      return await this.#order(route, call, luck);
    } catch (error) {
      return this.#refusal(error);
    }
  }

  /** A lagging memory lags by wall time, which is longer on the clock of a market that runs faster. */
  #seenThrough(nowMs: number, luck: Luck, isOrder: boolean): number {
    return isOrder || !luck.has("lag") ? nowMs : nowMs - luck.between("lag by", 50, 500) * this.#deps.speed;
  }

  async #order(route: Route, call: Call, luck: Luck): Promise<Response> {
    const early = luck.has("report-before-ack");
    const answer = JSON.stringify(this.#run(route, call, luck, early));
    if (early) await this.#delays.wait(luck.between("early", 50, 250));
    if (luck.has("ack-lost")) return broken(this.#deps.timers);
    if (luck.has("timeout-after-accept")) {
      await this.#delays.wait(BACKEND_TIMEOUT_MS);
      const message =
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.";
      throw new RestError(408, -1007, message);
    }
    return this.#json(200, answer);
  }

  /** 503 in one of its wordings; by two of them an order may have been taken all the same. */
  #unavailable(route: Route, call: Call, luck: Luck, isOrder: boolean): Response {
    const wording = luck.between("wording", 0, 2);
    if (wording === 1) return this.#json(503, "Service Unavailable.");
    if (isOrder && luck.between("taken", 0, 1) === 1) this.#run(route, call, luck);
    return wording === 0
      ? this.#json(503, errorBody(new RestError(503, -1000, STATUS_UNKNOWN)))
      : this.#json(503, errorBody(new RestError(503, -1008, OVERLOADED)));
  }

  #run(route: Route, call: Call, luck: Luck, early = false): unknown {
    const { tape } = this.#deps;
    const emit = (events: readonly OrderEvent[]) => {
      if (early) this.#report(events);
      else void this.#delays.wait(luck.between("report after", 0, 5)).then(() => this.#report(events));
    };
    return route.run({ tape, book: this.#book, engine: this.#engine, emit }, call);
  }

  #catchUp(nowMs: number): void {
    this.#lookedAtMs = this.#deps.clock.monotonicMs();
    if (this.#book.openOrders().length === 0) return;
    try {
      this.#report(this.#engine.catchUp(nowMs));
    } catch (error) {
      // The disk may be full: what is not durable has not happened, and is tried again.
      if (this.#failed++ === 0) this.#deps.log.warn("Cannot keep the simulated account", { reason: messageOf(error) });
    }
  }

  #report(events: readonly OrderEvent[]): void {
    for (const event of events) {
      if (this.#stopped) return;
      const number = ++this.#reports;
      const luck = this.#dice.luck("report", number);
      if (luck.has("stream-cut")) {
        this.stream.cut();
        continue;
      }
      const report = executionReport(event, number, this.#deps.advance());
      this.stream.publish(report);
      if (luck.has("duplicate-report"))
        void this.#delays.wait(luck.between("again after", 0, 100)).then(() => this.stream.publish(report));
    }
  }

  #refusal(error: unknown): Response {
    if (error instanceof TooMany)
      return this.#json(error.status, errorBody(error), { "retry-after": String(error.retryAfterSeconds) });
    if (error instanceof RestError) return this.#json(error.status, errorBody(error));
    if (this.#failed++ === 0) this.#deps.log.warn("Cannot keep the simulated account", { reason: messageOf(error) });
    return this.#json(500, errorBody(new RestError(500, -1001, "Internal error; unable to process your request.")));
  }

  #json(status: number, body: string, more: Readonly<Record<string, string>> = {}): Response {
    const used = String(this.#limit.used);
    const weights = { "x-mbx-used-weight": used, "x-mbx-used-weight-1m": used };
    return new Response(body, { status, headers: { ...this.#deps.headers, ...weights, ...more } });
  }
}

function liquidityOf(luck: Luck): Liquidity {
  if (luck.has("expire")) return { percent: luck.between("share", 20, 80), rest: "expires" };
  if (luck.has("partial")) return { percent: luck.between("share", 0, 80), rest: "rests" };
  return USUAL;
}

/** An answer whose connection breaks before a word of it is through: the stream fails once the runtime waits for it. */
function broken(timers: Timers): Response {
  const cut = new FabricError("unavailable", "The simulated exchange broke this connection off");
  return new Response(new ReadableStream({ start: (controller) => void timers.after(1, () => controller.error(cut)) }));
}
