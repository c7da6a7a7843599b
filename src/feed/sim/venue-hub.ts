import type { Clock, Log, ServerSocketHandlers } from "../../core/env.ts";
import type { BadDice } from "./bad-day.ts";
import { shortFormatter } from "./decimal.ts";
import { type MarketLane, MarketPlayer } from "./market-player.ts";
import type { SimProtocol, SimTrade, SimView } from "./protocols/contract.ts";
import type { SimMarket, SimMinute } from "./sim-market.ts";
import type { SimSymbol } from "./sim-symbol.ts";
import { MAX_CLIENTS } from "./stream-hub.ts";
import { VenueConnection } from "./venue-connection.ts";

export interface VenueHubDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly market: SimMarket;
  readonly protocol: SimProtocol;
  readonly view: SimView;
  /** Exchange ms per wall ms. */
  readonly speed: number;
  /** Null on a good day. */
  readonly dice: BadDice | null;
  /** Sends every event that is due and returns the exchange's time; called before any request is answered. */
  readonly advance: () => number;
  /** Bytes that may wait for one client; beyond it the client is closed with 1008 and counted. */
  readonly maxClientBytes: number;
}

interface Lane extends MarketLane {
  readonly price: (ticks: number) => string;
  readonly quantity: (lots: number) => string;
  heard: readonly VenueConnection[];
}

const POLICY_VIOLATION = 1008;

/** The clients of a simulated venue that speaks through a SimProtocol, and the market played to them. */
export class VenueHub {
  readonly #deps: VenueHubDeps;
  readonly #player: MarketPlayer<Lane>;
  readonly #connections = new Set<VenueConnection>();
  #nowMs = 0;
  #opened = 0;
  #requests = 0;
  #badRequests = 0;
  #slowClients = 0;
  #frames = 0;

  constructor(deps: VenueHubDeps) {
    this.#deps = deps;
    this.#player = new MarketPlayer(deps.market, deps.market.symbols.map(laneOf));
  }

  get full(): boolean {
    return this.#connections.size >= MAX_CLIENTS;
  }

  /** Nobody is there to hear or be told anything. */
  get idle(): boolean {
    return this.#connections.size === 0;
  }

  counters(): Readonly<Record<string, number>> {
    let streams = 0;
    for (const { session } of this.#connections) streams += session.symbols.size;
    return {
      clients: this.#connections.size,
      streams,
      "connections.total": this.#opened,
      "requests.total": this.#requests,
      "requests.bad.total": this.#badRequests,
      "clients.slow.total": this.#slowClients,
      "frames.total": this.#frames,
    };
  }

  /** Handlers for a connection to the venue's stream; null for any other URL, or while there are too many. */
  accept(address: string): ServerSocketHandlers | null {
    const url = new URL(address);
    const subscribed = this.#deps.protocol.stream(url);
    if (!subscribed || this.full) return null;
    let connection: VenueConnection | null = null;
    return {
      onOpen: (socket) => {
        this.#nowMs = this.#deps.advance();
        connection = new VenueConnection(socket, url, subscribed, ++this.#opened, {
          protocol: this.#deps.protocol,
          view: this.#deps.view,
          dice: this.#deps.dice,
          speed: this.#deps.speed,
          nowMs: () => this.#nowMs,
          wallMs: () => this.#deps.clock.monotonicMs(),
          sent: (one, waitingBytes) => this.#sent(one, waitingBytes),
        });
        this.#connections.add(connection);
        connection.session.open();
      },
      onMessage: (_socket, text) => {
        this.#requests++;
        // The answer is a barrier: what was due before it is sent before it.
        this.#nowMs = this.#deps.advance();
        if (connection?.isOpen && !connection.request(text)) this.#badRequests++;
      },
      onClose: () => {
        connection?.ended();
        if (connection) this.#connections.delete(connection);
      },
    };
  }

  /** Tells everybody what happened after `afterMs` up to and including `throughMs`; returns the number of trades heard. */
  play(afterMs: number, throughMs: number): number {
    const open = [...this.#connections].filter(({ isOpen }) => isOpen);
    const played = this.#player.play(
      afterMs,
      throughMs,
      (lane) => {
        lane.heard = open.filter(({ session }) => session.symbols.has(lane.symbol.name));
        return lane.heard.length > 0;
      },
      (lane, minute, place) => {
        const trade = this.#trade(lane, minute, place);
        this.#nowMs = trade.timeMs;
        for (const connection of lane.heard) connection.trade(trade);
      },
    );
    this.#nowMs = throughMs;
    for (const connection of open) connection.pass(throughMs);
    return played;
  }

  /** Called every few ms. */
  beat(): void {
    for (const connection of this.#connections) connection.beat();
  }

  #trade(lane: Lane, minute: SimMinute, place: number): SimTrade {
    const { dice, view } = this.#deps;
    const id = view.numbers.venueId(minute.firstId + place);
    dice?.numbered(id - view.numbers.venueId(minute.firstId + place - 1));
    return {
      symbol: lane.symbol.name,
      id,
      timeMs: minute.openTime + (minute.offsets[place] ?? 0),
      price: lane.price(minute.ticks[place] ?? 0),
      quantity: lane.quantity(minute.lots[place] ?? 0),
      sold: minute.sells[place] === 1,
    };
  }

  #sent(connection: VenueConnection, waitingBytes: number): void {
    this.#frames++;
    if (waitingBytes <= this.#deps.maxClientBytes) return;
    this.#slowClients++;
    this.#deps.log.warn("A client that does not read was cut off", { waitingBytes });
    connection.close(POLICY_VIOLATION, "too slow: messages were not read");
  }
}

function laneOf(symbol: SimSymbol): Lane {
  return {
    symbol,
    price: shortFormatter(symbol.tickDecimals),
    quantity: shortFormatter(symbol.lotDecimals),
    minute: null,
    heard: [],
  };
}
