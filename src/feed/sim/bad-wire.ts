import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import type { BadDice, BadFault } from "./bad-day.ts";
import type { SimTrade } from "./protocols/contract.ts";

/** What a bad wire does in the end. */
export interface BadWireOut {
  /** Tells a trade now. */
  tell(trade: SimTrade): void;
  send(text: string): void;
  /** Drops the connection. */
  drop(): void;
  /** Closes it, announced where the venue does that. */
  shutDown(): void;
}

const BURST_SPEED = 50;
const LATE_MS = { least: 1000, most: 8000 };
/** A message held back for the next one waits no longer. */
const REORDER_MS = 1000;
const OVERSIZED_CHARS = 4 * 1024 * 1024;
/** A minute's fault begins so far into it at the latest. */
const LATEST_START_MS = 50_000;
/** Of one message at most one of these, the first that strikes. */
const MESSAGE_FAULTS = ["drop", "malformed", "oversized", "repeat", "reorder"] as const;
const WEB_PAGE = "<html><head><title>502 Bad Gateway</title></head><body></body></html>";

interface Held<Thing> {
  readonly dueMs: number;
  readonly thing: Thing;
}

/** A stretch of exchange time, the end exclusive. */
interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

const NEVER: Stretch = { fromMs: Number.POSITIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

/**
 * A connection's bad day: between the market and the venue's messages (trades that are lost, held back or late) and between
 * these and the socket (messages dropped, repeated, damaged, slow). Holds at most what its market trades while it waits.
 */
export class BadWire {
  readonly #dice: BadDice;
  readonly #connection: number;
  readonly #out: BadWireOut;
  #nowMs: number;
  #minute: number;
  #messages = 0;
  #trades = 0;
  #groups = 0;
  #freeze = NEVER;
  #burst = NEVER;
  #slow = NEVER;
  #cutMs = Number.POSITIVE_INFINITY;
  #shutMs = Number.POSITIVE_INFINITY;
  /** Its end is drawn; a connection has one. */
  #ending = false;
  /** Held back, in order of trading. */
  readonly #behind: Held<SimTrade>[] = [];
  /** By their minutes; a few. */
  #late: Held<SimTrade>[] = [];
  readonly #slowTexts: Held<string>[] = [];
  #next: Held<string> | null = null;

  /** `connection` counts the exchange's connections. */
  constructor(dice: BadDice, connection: number, nowMs: number, out: BadWireOut) {
    this.#dice = dice;
    this.#connection = connection;
    this.#out = out;
    this.#nowMs = nowMs;
    // The minute under way is spared, so that a client can be there before anything happens.
    this.#minute = minuteOf(nowMs);
  }

  /** A trade that happens now. */
  trade(trade: SimTrade): void {
    this.pass(trade.timeMs);
    const number = ++this.#trades;
    if (isWithin(trade.timeMs, this.#freeze)) return;
    if (this.#dice.strikes("late", this.#connection, number)) {
      const more = this.#dice.unit("late", this.#connection, number, 1) * (LATE_MS.most - LATE_MS.least);
      const dueMs = minuteOf(trade.timeMs) + MINUTE_MS + LATE_MS.least + more;
      this.#late = [...this.#late, { dueMs, thing: trade }].sort((a, b) => a.dueMs - b.dueMs);
      return;
    }
    const before = this.#behind.at(-1)?.dueMs ?? trade.timeMs;
    const { fromMs, toMs } = this.#burst;
    const held = isWithin(trade.timeMs, this.#burst) ? toMs + (trade.timeMs - fromMs) / BURST_SPEED : trade.timeMs;
    if (held > trade.timeMs || before > trade.timeMs)
      this.#behind.push({ dueMs: Math.max(held, before), thing: trade });
    else this.#out.tell(trade);
  }

  /** The trades of one message, as they are to be told. */
  groups(trades: readonly SimTrade[]): readonly (readonly SimTrade[])[] {
    if (trades.length < 2 || !this.#dice.strikes("split", this.#connection, ++this.#groups)) return [trades];
    return trades.map((trade) => [trade]);
  }

  /** A message with trades. */
  frame(text: string): void {
    const number = ++this.#messages;
    const fault = MESSAGE_FAULTS.find((name) => this.#dice.strikes(name, this.#connection, number));
    switch (fault) {
      case "drop":
        return;
      case "malformed":
        this.#frame(this.#damaged(text, number));
        return;
      case "oversized":
        this.#frame(`${text.slice(0, 1)}${" ".repeat(OVERSIZED_CHARS)}${text.slice(1)}`);
        return;
      case "repeat":
        this.#frame(text);
        this.#frame(text);
        return;
      case "reorder":
        if (this.#next) break;
        this.#next = { dueMs: this.#nowMs + REORDER_MS, thing: text };
        return;
      default:
    }
    this.#frame(text);
  }

  /** Any other message. */
  text(text: string): void {
    const before = this.#slowTexts.at(-1)?.dueMs ?? this.#nowMs;
    const lasting = this.#dice.day.lasting.slow ?? 0;
    const dueMs = isWithin(this.#nowMs, this.#slow) ? this.#nowMs + lasting : this.#nowMs;
    if (dueMs > this.#nowMs || before > this.#nowMs)
      this.#slowTexts.push({ dueMs: Math.max(dueMs, before), thing: text });
    else this.#out.send(text);
  }

  /** Exchange time goes on: what is due happens. */
  pass(nowMs: number): void {
    if (nowMs < this.#nowMs) return;
    this.#nowMs = nowMs;
    const minute = minuteOf(nowMs);
    if (minute > this.#minute) this.#plan(minute);
    for (const trade of due(this.#behind, nowMs)) this.#out.tell(trade);
    for (const trade of due(this.#late, nowMs)) this.#out.tell(trade);
    if (this.#next && this.#next.dueMs <= nowMs) this.#release();
    for (const text of due(this.#slowTexts, nowMs)) this.#out.send(text);
    if (nowMs >= this.#shutMs) {
      this.#shutMs = Number.POSITIVE_INFINITY;
      this.#out.shutDown();
    }
    if (nowMs >= this.#cutMs) {
      this.#cutMs = Number.POSITIVE_INFINITY;
      this.#out.drop();
    }
  }

  #plan(minute: number): void {
    this.#minute = minute;
    this.#freeze = this.#stretch("freeze", this.#freeze);
    this.#burst = this.#stretch("burst", this.#burst);
    this.#slow = this.#stretch("slow", this.#slow);
    if (this.#slow.fromMs >= minute && this.#slow !== NEVER) this.#slow = { ...this.#slow, toMs: minute + MINUTE_MS };
    if (this.#ending) return;
    if (this.#strikes("cut")) this.#cutMs = this.#start("cut");
    if (this.#strikes("shutdown")) this.#shutMs = this.#start("shutdown");
    this.#ending = this.#cutMs !== Number.POSITIVE_INFINITY || this.#shutMs !== Number.POSITIVE_INFINITY;
  }

  /** This minute's stretch of a fault, unless the last one still goes on. */
  #stretch(name: "freeze" | "burst" | "slow", last: Stretch): Stretch {
    if (last.toMs > this.#minute && last !== NEVER) return last;
    if (!this.#strikes(name)) return NEVER;
    const fromMs = this.#start(name);
    return { fromMs, toMs: fromMs + (this.#dice.day.lasting[name] ?? 0) };
  }

  #strikes(name: BadFault): boolean {
    return this.#dice.strikes(name, this.#connection, this.#minute / MINUTE_MS);
  }

  #start(name: BadFault): number {
    const into = this.#dice.unit(name, this.#connection, this.#minute / MINUTE_MS, 1) * LATEST_START_MS;
    return this.#minute + Math.floor(into);
  }

  #frame(text: string): void {
    this.text(text);
    this.#release();
  }

  #release(): void {
    const held = this.#next;
    this.#next = null;
    if (held) this.text(held.thing);
  }

  /** Never a text that could be read as another trade: no checksum lets that through. */
  #damaged(text: string, number: number): string {
    const unit = (salt: number) => this.#dice.unit("malformed", this.#connection, number, salt);
    const kind = Math.floor(unit(1) * 3);
    if (kind === 0) return text.slice(0, 1 + Math.floor(unit(2) * (text.length - 2)));
    if (kind === 1) return WEB_PAGE;
    return text.replace(/"(?:price|px|p)":(?:"[^"]*"|[^",}]*),/, "");
  }
}

function isWithin(timeMs: number, { fromMs, toMs }: Stretch): boolean {
  return timeMs >= fromMs && timeMs < toMs;
}

/** Takes what is due off the front. */
function* due<Thing>(queue: Held<Thing>[], nowMs: number): Generator<Thing> {
  for (let first = queue[0]; first !== undefined && first.dueMs <= nowMs; first = queue[0]) {
    queue.shift();
    yield first.thing;
  }
}
