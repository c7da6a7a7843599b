import type { ServerSocketHandlers } from "../../core/env.ts";
import { type BadDay, BadDice, GOOD_DAY, jumpsOf } from "./bad-day.ts";
import type { SimView } from "./protocols/contract.ts";
import { SIM_PROTOCOLS } from "./protocols/protocols.ts";
import { answerRest } from "./rest.ts";
import type { SimExchangeDeps, SimExchangeOptions } from "./sim-exchange.ts";
import { SimMarket } from "./sim-market.ts";
import { StreamHub } from "./stream-hub.ts";
import type { Tape } from "./tape.ts";
import { TradeNumbers } from "./trade-numbers.ts";
import { VenueHub } from "./venue-hub.ts";
import { VenueRestDoor } from "./venue-rest-door.ts";

/** The public side of the exchange: who is connected, what they are told, and what REST answers. */
export interface ExchangeWire {
  readonly full: boolean;
  /** Nobody hears anything: nothing needs to be played. */
  readonly idle: boolean;
  counters(): Readonly<Record<string, number>>;
  /** Handlers for a stream's URL; null for any other, or while there are too many clients. */
  accept(url: string): ServerSocketHandlers | null;
  answer(request: Request): Response;
  /** Tells what happened after `afterMs` up to and including `throughMs`; returns the number of events. */
  play(afterMs: number, throughMs: number): number;
  /** Called every few ms. */
  beat(): void;
}

export interface WireDeps extends SimExchangeDeps {
  readonly tape: Tape;
  /** Sends every event that is due and returns the exchange's time. */
  readonly advance: () => number;
  readonly onFirstSubscription: () => void;
  readonly maxClientBytes: number;
}

/** Binance spot on a good day, and every recording, go the short way; all else is a protocol's. */
export function openWire(options: SimExchangeOptions, deps: WireDeps): ExchangeWire {
  const { source, venue = "binance-spot", badDay = null } = options;
  if (source.kind === "recording" || (venue === "binance-spot" && badDay === null)) return spotWire(options, deps);
  const protocol = SIM_PROTOCOLS[venue];
  const day: BadDay = badDay ?? GOOD_DAY;
  const view: SimView = {
    tape: deps.tape,
    // The venue's own holes come last: a protocol knows them by the ids that it tells.
    numbers: new TradeNumbers([...jumpsOf(day), ...protocol.holes]),
    skewMs: day.skewMs,
  };
  const dice = badDay === null ? null : new BadDice(source.seed, badDay);
  const market = new SimMarket(source.seed, [...source.symbols].sort());
  const common = { ...deps, protocol, view, dice, speed: options.speed };
  const hub = new VenueHub({ ...common, market });
  const door = new VenueRestDoor({ ...common, full: () => hub.full });
  return {
    get full() {
      return hub.full;
    },
    get idle() {
      return hub.idle;
    },
    counters: () => ({ ...hub.counters(), ...door.counters(), ...dice?.counters() }),
    accept: (url) => hub.accept(url),
    answer: (request) => door.answer(request),
    play: (afterMs, throughMs) => hub.play(afterMs, throughMs),
    beat: () => hub.beat(),
  };
}

function spotWire({ speed }: SimExchangeOptions, deps: WireDeps): ExchangeWire {
  const { tape, advance } = deps;
  const hub = new StreamHub(deps);
  return {
    get full() {
      return hub.full;
    },
    get idle() {
      return hub.channels.size === 0;
    },
    counters: () => hub.counters(),
    accept: (url) => hub.accept(url),
    answer: (request) => answerRest(request, { tape, speed, advance, full: () => hub.full }),
    play: (afterMs, throughMs) => tape.play(afterMs, throughMs, hub.channels),
    beat: () => undefined,
  };
}
