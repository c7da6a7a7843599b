import { platform } from "#platform";
import type { Timers } from "../../../src/core/env.ts";
import type { FeedSink, MarketFeed } from "../../../src/feed/contract.ts";
import { LiveFeed } from "../../../src/feed/live/live-feed.ts";
import { MarketIngest } from "../../../src/feed/market-ingest.ts";
import { venueOf } from "../../../src/feed/venues/venues.ts";
import { eventually } from "../../support/eventually.ts";
import type { Dice } from "../dice.ts";
import { candleWrong } from "./judge.ts";

const SYMBOLS = ["BTCUSDT", "ETHUSDT"];
const START = Date.UTC(2025, 0, 1);
/** Exchange time between two frames. */
const STEP_MS = 400;
/** Trades of this id and price, which no other frame has, tell that everything before them was read. */
const FIRST_MARK = 8_000_000_000_000_000;
const MARK_PRICE = "424242.424242";
/** Frames that end a session come every few: nobody waits for the growing delay of a venue that is away. */
const MOST_DELAY_MS = 20;
const timers: Timers = {
  ...platform.timers,
  after: (delayMs, run) => platform.timers.after(Math.min(delayMs, MOST_DELAY_MS), run),
};
const silent = { debug() {}, info() {}, warn() {}, error() {} };

type Client = Bun.ServerWebSocket<undefined>;

/** A venue that sends what it is told to, and a real feed and ingest that hear it over a real WebSocket. */
export class VenueRig implements AsyncDisposable {
  readonly #clients = new Set<Client>();
  readonly #server: Bun.Server<undefined>;
  readonly #feed: LiveFeed;
  readonly #ingest: MarketIngest;
  readonly #lastOpenTime = new Map<string, number>();
  #nowMs = START;
  #nextId = 1000;
  #marks = 0;
  #heard = 0;
  #candles = 0;
  #wrong: string | null = null;
  #running: Promise<void> = Promise.resolve();

  private constructor() {
    this.#server = this.#serve();
    const url = `ws://127.0.0.1:${this.#server.port}`;
    this.#feed = new LiveFeed(
      { venue: venueOf("binance-spot"), symbols: SYMBOLS, url },
      { ...platform, timers, log: silent },
    );
    this.#ingest = new MarketIngest(
      {
        symbols: SYMBOLS,
        heads: new Map(),
        closedThrough: null,
        historyMinutes: 0,
        backfillWaitMs: 20,
        klineSettleMs: 0,
        emit: (batch) => {
          for (const candle of batch.candles) this.#judge(candle.symbol, candle.openTime, candleWrong({ ...candle }));
          return "accepted";
        },
      },
      { ...platform, feed: this.#marked(this.#feed), log: silent },
    );
  }

  static async open(): Promise<VenueRig> {
    const rig = new VenueRig();
    rig.#running = rig.#ingest.run().catch((error: unknown) => {
      rig.#wrong = `the ingest ended: ${String(error)}`;
    });
    await rig.send([]);
    return rig;
  }

  /** A recorded frame as if it came now: else every trade would be old, or ahead of the venue's clock. */
  asOfNow(frame: string, dice: Dice): string {
    this.#nowMs += dice.below(2) * STEP_MS;
    const id = this.#nextId++;
    return frame
      .replaceAll(/"([TE])":\d+/g, (_, key: string) => `"${key}":${this.#nowMs}`)
      .replace(/"t":\d+/, `"t":${id}`)
      .replace(/"f":\d+,"l":\d+/, `"f":${id},"l":${id}`);
  }

  /** Sends frames, and resolves when all that could be heard was; what is wrong, or null. */
  async send(frames: readonly Uint8Array[]): Promise<string | null> {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    for (const frame of frames) {
      for (const client of this.#clients) {
        try {
          client.send(decoder.decode(frame));
        } catch {
          client.send(frame);
        }
      }
    }
    const mark = ++this.#marks;
    const isHeard = () => {
      if (this.#heard >= mark || this.#wrong !== null) return true;
      this.#sendMark(mark);
      return false;
    };
    await eventually(isHeard, 15_000, "a trade after the mutated ones to be heard");
    const wrong = this.#wrong;
    this.#wrong = null;
    return wrong;
  }

  facts(): Readonly<Record<string, number>> {
    const { counters } = this.#feed.facts();
    const told = ["trades.total", "malformed.total", "implausible.total", "other.total", "reconnects.total"];
    return { candles: this.#candles, ...Object.fromEntries(told.map((name) => [`feed ${name}`, counters[name] ?? 0])) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ingest.stop();
    await this.#running;
    await this.#server.stop(true);
  }

  /** The feed, with the marks taken out of what it tells. */
  #marked(feed: LiveFeed): MarketFeed {
    const hear = (sink: FeedSink): FeedSink => ({
      ...sink,
      onTrade: (trade) => {
        if (trade.id >= FIRST_MARK && trade.price === MARK_PRICE)
          this.#heard = Math.max(this.#heard, trade.id - FIRST_MARK);
        else sink.onTrade(trade);
      },
    });
    return {
      venue: feed.venue,
      recording: false,
      run: (sink) => feed.run(hear(sink)),
      stop: () => feed.stop(),
      klines: (symbol, from, to) => feed.klines(symbol, from, to),
      facts: () => feed.facts(),
    };
  }

  #judge(symbol: string, openTime: number, wrong: string | null): void {
    this.#candles++;
    if (wrong !== null) this.#wrong = `the ingest put out a candle with ${wrong}`;
    if (openTime <= (this.#lastOpenTime.get(symbol) ?? 0)) this.#wrong = `${symbol} ${openTime} came twice or late`;
    this.#lastOpenTime.set(symbol, openTime);
  }

  #sendMark(mark: number): void {
    const data = { e: "trade", E: this.#nowMs, s: "BTCUSDT", t: FIRST_MARK + mark, p: MARK_PRICE, q: "1" };
    const frame = { stream: "btcusdt@trade", data: { ...data, T: this.#nowMs, m: true, M: true } };
    for (const client of this.#clients) client.send(JSON.stringify(frame));
  }

  #serve(): Bun.Server<undefined> {
    return Bun.serve<undefined>({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => {
        if (server.upgrade(request, { data: undefined })) return undefined;
        const { pathname } = new URL(request.url);
        if (pathname === "/api/v3/time") return Response.json({ serverTime: this.#nowMs });
        if (pathname === "/api/v3/exchangeInfo")
          return Response.json({ symbols: SYMBOLS.map((symbol) => ({ symbol })) });
        return Response.json([]);
      },
      websocket: {
        open: (client) => void this.#clients.add(client),
        close: (client) => void this.#clients.delete(client),
        message: (client, text) => {
          const { id, method } = JSON.parse(String(text)) as { id: number; method: string };
          const streams = SYMBOLS.map((symbol) => `${symbol.toLowerCase()}@trade`);
          client.send(JSON.stringify({ result: method === "LIST_SUBSCRIPTIONS" ? streams : null, id }));
        },
      },
    });
  }
}
