import { MINUTE_MS } from "../../../src/core/time.ts";
import { GOOD_DAY } from "../../../src/feed/sim/bad-day.ts";
import type { SimExchangeOptions } from "../../../src/feed/sim/sim-exchange.ts";
import { SimMarket } from "../../../src/feed/sim/sim-market.ts";
import { DEFAULT_START_MS } from "../../../src/feed/sim/truth.ts";
import type { OmittedRow, Venue, VenueFrame, VenueTrade } from "../../../src/feed/venues/contract.ts";
import { eventually } from "../../support/eventually.ts";
import { type Bench, type Client, connect, openBench } from "./exchange-bench.ts";

export const SEED = 1;
export const namesOf = (venue: Venue) => ["BTC", "ETH"].map((base) => venue.symbolOf({ base, quote: "USDT" }));

export function openVenue(venue: Venue, more: Partial<SimExchangeOptions> = {}): Bench {
  const source = {
    kind: "market",
    seed: SEED,
    symbols: namesOf(venue),
    startMs: DEFAULT_START_MS,
    folder: null,
  } as const;
  return openBench({ venue: venue.id, badDay: GOOD_DAY, source, ...more });
}

export const pathOf = (venue: Venue) => new URL(venue.streamUrl).pathname;

/** Every frame as the venue's adapter reads it. */
export function readAll(venue: Venue, client: Client): readonly VenueFrame[] {
  const reader = venue.reader();
  return client.texts.map((text) => reader.read(text));
}

export async function subscribed(venue: Venue, url: string, symbols = namesOf(venue)): Promise<Client> {
  const client = await connect(url, pathOf(venue));
  const requests = venue.subscribe(symbols);
  for (const request of requests) client.send(request.text);
  const answers = () => readAll(venue, client).filter(({ type }) => type === "ack").length;
  await eventually(() => answers() >= requests.filter((request) => request.symbols.length > 0).length, 5000, "acks");
  return client;
}

/** Steps through exchange time, and waits each time until everything of it has come. */
export async function pass(
  bench: Bench,
  client: Client,
  exchangeMs: number,
  venue: Venue,
  slow = false,
  stepMs = 20_000,
): Promise<void> {
  for (let passed = 0; passed < exchangeMs; passed += stepMs) {
    bench.clock.step(stepMs / 60);
    await barrier(venue, client, bench, slow);
  }
}

let probes = 1000;

/** The venue's own proof that nothing is under way any more, but for what it gathers. */
async function barrier(venue: Venue, client: Client, bench: Bench, slow: boolean): Promise<void> {
  bench.clock.step(1000 / 60);
  const id = probes++;
  const reader = venue.reader();
  const from = client.texts.length;
  client.send(venue.probe.text(id));
  const answered = () => {
    // A slow connection's answer waits for exchange time.
    if (slow) bench.clock.step(1000 / 60);
    return client.texts.slice(from).some((text) => venue.probe.answers(reader.read(text), id));
  };
  await eventually(answered, 5000, "the probe's answer");
}

interface Heard {
  readonly trades: readonly VenueTrade[];
  readonly history: readonly VenueTrade[];
  readonly omitted: readonly OmittedRow[];
  readonly malformed: readonly string[];
}

export function heard(venue: Venue, client: Client): Heard {
  const frames = readAll(venue, client);
  const told = frames.filter((frame) => frame.type === "trades");
  return {
    trades: told.flatMap(({ trades }) => trades),
    history: told.flatMap(({ history }) => history),
    omitted: told.flatMap(({ omitted }) => omitted),
    malformed: frames.flatMap((frame) => (frame.type === "malformed" ? [frame.reason] : [])),
  };
}

/** The market's own trades of some minutes from the start, without the product's arithmetic. */
export function marketTrades(symbols: readonly string[], minutes: number) {
  const market = new SimMarket(SEED, symbols);
  return market.symbols.flatMap((symbol) =>
    Array.from({ length: minutes }, (_, at) => market.minute(symbol, DEFAULT_START_MS + at * MINUTE_MS)).flatMap(
      ({ openTime, count, firstId, offsets, ticks, lots, sells }) =>
        Array.from({ length: count }, (_, at) => ({
          symbol: symbol.name,
          id: firstId + at,
          timeMs: openTime + (offsets[at] ?? 0),
          price: (ticks[at] ?? 0) / 10 ** symbol.tickDecimals,
          quantity: (lots[at] ?? 0) / 10 ** symbol.lotDecimals,
          buyerIsMaker: sells[at] === 1,
        })),
    ),
  );
}

export const numbered = ({ price, quantity, ...rest }: VenueTrade) => ({
  ...rest,
  price: Number(price),
  quantity: Number(quantity),
});
export const without = <T extends { id: unknown }>({ id: _, ...rest }: T) => rest;
export const byTime = (a: { symbol: string; timeMs: number }, b: { symbol: string; timeMs: number }) =>
  a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : a.timeMs - b.timeMs;

export const get = async (url: string, address: string) => {
  const { origin } = new URL(address);
  const reply = await fetch(`http://${url}${address.slice(origin.length)}`);
  return { status: reply.status, headers: reply.headers, body: await reply.text() };
};
