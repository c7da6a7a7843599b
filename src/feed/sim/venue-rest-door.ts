import type { Clock } from "../../core/env.ts";
import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import type { BadDice } from "./bad-day.ts";
import type { RestAnswer, SimProtocol, SimView } from "./protocols/contract.ts";
import { simHeaders } from "./rest.ts";

export interface RestDoorDeps {
  readonly clock: Clock;
  readonly protocol: SimProtocol;
  readonly view: SimView;
  readonly speed: number;
  /** Null on a good day. */
  readonly dice: BadDice | null;
  /** Sends every event that is due and returns the exchange's time. */
  readonly advance: () => number;
  /** There are too many clients: an upgrade was refused for it. */
  readonly full: () => boolean;
}

const LONGEST_PAUSE_S = 3;
/** REST is one place where faults strike; connections count from 1. */
const REST_PLACE = 0;

/** The door of a simulated venue's REST: its limits, its bad days, and the headers that no real venue sends. */
export class VenueRestDoor {
  readonly #deps: RestDoorDeps;
  #askedMs: number[] = [];
  #requests = 0;
  #limited = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #downMinute = Number.NaN;

  constructor(deps: RestDoorDeps) {
    this.#deps = deps;
  }

  counters(): Readonly<Record<string, number>> {
    return { "rest.limited.total": this.#limited };
  }

  answer(request: Request): Response {
    const { view, speed } = this.#deps;
    const { status, body, headers } = this.#answer(request);
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return new Response(text, { status, headers: { ...simHeaders(view.tape.environment, speed), ...headers } });
  }

  #answer(request: Request): RestAnswer {
    const { protocol, view, advance, full } = this.#deps;
    const url = new URL(request.url);
    const nowMs = advance();
    this.#requests++;
    if (this.#isDown(nowMs)) return protocol.down;
    const pauseS = this.#pause();
    if (pauseS > 0) {
      this.#limited++;
      return protocol.tooMany(pauseS);
    }
    if (protocol.stream(url) !== null && request.headers.get("upgrade") === null)
      return { status: 426, body: "This address speaks WebSocket only." };
    if (protocol.stream(url) !== null && full()) return { status: 503, body: "Too many connections" };
    const answer = request.method === "GET" ? protocol.rest(url, request.headers, view, nowMs) : null;
    return answer ?? { status: 404, body: { message: `No such resource: ${request.method} ${url.pathname}` } };
  }

  #isDown(nowMs: number): boolean {
    const minute = minuteOf(nowMs);
    if (minute === this.#downMinute) return true;
    if (!this.#isNewMinute(minute)) return false;
    if (this.#deps.dice?.strikes("rest-down", REST_PLACE, minute / MINUTE_MS)) this.#downMinute = minute;
    return this.#downMinute === minute;
  }

  #drawnMinute = Number.NaN;

  #isNewMinute(minute: number): boolean {
    const isNew = minute !== this.#drawnMinute;
    this.#drawnMinute = minute;
    return isNew;
  }

  /** Seconds for which the client should keep silent; 0 where it may ask. */
  #pause(): number {
    const { clock, dice, protocol } = this.#deps;
    const wallMs = clock.monotonicMs();
    if (wallMs < this.#pausedUntilMs) return Math.ceil((this.#pausedUntilMs - wallMs) / 1000);
    const { most, withinMs } = protocol.restRate;
    this.#askedMs = [...this.#askedMs.filter((askedMs) => askedMs > wallMs - withinMs), wallMs];
    if (this.#askedMs.length > most) return 1;
    if (!dice?.strikes("rest-limited", REST_PLACE, this.#requests)) return 0;
    const seconds = 1 + Math.floor(dice.unit("rest-limited", REST_PLACE, this.#requests, 1) * LONGEST_PAUSE_S);
    this.#pausedUntilMs = wallMs + seconds * 1000;
    return seconds;
  }
}
