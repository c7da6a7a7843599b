import { FabricError } from "../../src/core/errors.ts";
import type { FeedFacts, FeedSink, VenueCandle as Kline, MarketFeed } from "../../src/feed/contract.ts";
import type { Seeded } from "../provider/sim/seeded.ts";
import type { Life } from "./life.ts";
import { USUAL_LAG_MS, type VenueMarket, type VenueTrade } from "./venue-market.ts";

const MINUTE = 60_000;

/** One connection of the venue: some symbols' trades in the order they are told. */
interface Connection {
  readonly symbols: readonly string[];
  /** Per symbol, the next trade to be told. */
  readonly next: Map<string, number>;
  isUp: boolean;
  /** Wall ms before which nothing is read. */
  heldUntilMs: number;
  lastToldMs: number;
}

/** A venue's streams and klines as one market-data life sees them, in the words of FeedSink. */
export class SimFeed implements MarketFeed {
  readonly venue = "binance-spot";
  readonly recording = false;
  readonly idsCount: boolean;
  readonly #life: Life;
  readonly #market: VenueMarket;
  readonly #chance: Seeded;
  #sink: FeedSink | null = null;
  #connections: Connection[] = [];
  #ended: (() => void) | null = null;
  /** How often it was begun or stopped. */
  readonly #runs = { run: 0 };
  #newestMs: number | null = null;
  #heardAtMs = 0;

  constructor(life: Life, market: VenueMarket) {
    this.idsCount = life.world.scenario.idsCount;
    this.#life = life;
    this.#market = market;
    this.#chance = life.world.chance(`feed ${life.name}`);
  }

  run(sink: FeedSink): Promise<void> {
    this.#sink = sink;
    const run = ++this.#runs.run;
    const { symbols } = this.#market;
    const cut = this.#chance.chance(0.5) ? symbols.length : 1;
    this.#connections = [symbols.slice(0, cut), symbols.slice(cut)]
      .filter((own) => own.length > 0)
      .map((own) => ({ symbols: own, next: new Map(), isUp: false, heldUntilMs: 0, lastToldMs: 0 }));
    for (const connection of this.#connections) this.#connectLater(run, connection, 5 + this.#chance.below(100));
    return new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  async stop(): Promise<void> {
    this.#runs.run++;
    this.#sink = null;
    this.#ended?.();
  }

  facts(): FeedFacts {
    const { speed } = this.#life.world.scenario;
    const since = (this.#life.world.nowMs - this.#heardAtMs) * speed;
    return {
      connected: this.#connections.every((connection) => connection.isUp),
      exchangeTimeMs: this.#newestMs === null ? null : this.#newestMs + Math.max(0, since),
      speed,
      environment: this.#newestMs === null ? null : "sim:1",
      ageMs: this.#newestMs === null ? null : this.#life.world.nowMs - this.#heardAtMs,
      counters: {},
    };
  }

  klines(symbol: string, from: number, to: number): Promise<readonly Kline[]> {
    const { rates, untold } = this.#life.world.scenario;
    const zeros = Object.fromEntries(untold.map((figure) => [figure, 0]));
    const hurting = this.#life.world.isHurting;
    const fails = hurting && this.#chance.chance(rates["feed.klines-fail"] * 0.6);
    const delayMs = fails ? this.#chance.below(1500) : 2 + this.#chance.below(30);
    // The venue's own kline may be final later than the minute.
    const lateMs = hurting && this.#chance.chance(rates["feed.klines-late"]) ? this.#chance.below(30_000) : 0;
    return this.#life.call(`klines ${symbol}`, delayMs, () => {
      if (fails) throw new FabricError("unavailable", "the venue does not answer");
      const candles: Kline[] = [];
      for (let openTime = from; openTime <= to; openTime += MINUTE) {
        if (openTime + MINUTE + lateMs > this.#market.nowMs) break;
        const own = this.#market.candle(symbol, openTime);
        if (own === null || this.#market.isGone(symbol, openTime)) continue;
        const { firstId, lastId, ...figures } = own;
        const candle = { ...figures, firstTradeId: null, lastTradeId: null, provenance: "backfilled" as const };
        candles.push(untold.length === 0 ? candle : { ...candle, ...zeros, untold });
      }
      return candles;
    });
  }

  #connectLater(run: number, connection: Connection, delayMs: number): void {
    this.#life.timers.after(delayMs, () => {
      if (run !== this.#runs.run || this.#sink === null) return;
      connection.isUp = true;
      const nowMs = this.#market.nowMs;
      for (const symbol of connection.symbols) {
        connection.next.set(symbol, firstToldAfter(this.#market.trades(symbol), nowMs));
        this.#noteBeginning(run, symbol);
      }
      this.#life.note(`feed connected ${connection.symbols.join(",")}`);
      this.#sink.onConnected(connection.symbols);
      this.#life.timers.after(this.#chance.chance(0.7) ? 1 : 1 + this.#chance.below(1000), () => {
        if (run !== this.#runs.run || !connection.isUp || this.#sink === null) return;
        this.#hear(this.#market.nowMs);
        this.#sink.onHeardSince?.(connection.symbols, this.#market.nowMs);
      });
      connection.lastToldMs = nowMs;
      this.#tick(run, connection);
    });
  }

  #tick(run: number, connection: Connection): void {
    const { feedTickMs, rates } = this.#life.world.scenario;
    this.#life.timers.after(feedTickMs * (0.7 + 0.6 * this.#chance.next()), () => {
      if (run !== this.#runs.run || this.#sink === null) return;
      const hurting = this.#life.world.isHurting;
      const nowMs = this.#life.world.nowMs;
      const share = feedTickMs / 1000;
      if (hurting && this.#chance.chance(rates["feed.stall"] * 0.5 * share))
        connection.heldUntilMs = nowMs + this.#chance.below(3000);
      if (hurting && this.#chance.chance(rates["feed.interrupt"] * 0.7 * share)) {
        this.#interrupt(run, connection);
        return;
      }
      if (nowMs >= connection.heldUntilMs && !this.#market.isSilent) this.#read(run, connection);
      if (run === this.#runs.run) this.#tick(run, connection);
    });
  }

  #interrupt(run: number, connection: Connection): void {
    // Some of what was on its way is still heard.
    if (this.#chance.chance(0.5)) this.#read(run, connection);
    if (run !== this.#runs.run) return;
    connection.isUp = false;
    this.#life.note(`feed interrupted ${connection.symbols.join(",")}`);
    this.#sink?.onInterrupted(connection.symbols, "the connection was cut");
    this.#connectLater(run, connection, 20 + this.#chance.below(2500));
  }

  /** Hands over whatever was told since the last reading. */
  #read(run: number, connection: Connection): void {
    const lagMs = this.#chance.below(300);
    const horizonMs = this.#market.nowMs - lagMs;
    const due: VenueTrade[] = [];
    for (const symbol of connection.symbols) {
      const trades = this.#market.trades(symbol);
      let at = connection.next.get(symbol) ?? 0;
      for (let trade = trades[at]; trade && trade.toldMs <= horizonMs; trade = trades[++at]) due.push(trade);
      connection.next.set(symbol, at);
    }
    due.sort((a, b) => a.toldMs - b.toldMs || a.id - b.id);
    for (const trade of due) {
      if (run !== this.#runs.run) return;
      this.#tell(connection, trade);
    }
    if (run !== this.#runs.run) return;
    this.#hear(horizonMs);
    if (due.length === 0 || this.#chance.chance(0.3)) {
      // What is told by now was traded at most the usual lag before.
      if (this.#chance.chance(0.5)) this.#sink?.onQuiet(connection.symbols, Math.floor(horizonMs - USUAL_LAG_MS));
      else this.#sink?.onTime?.(connection.symbols, Math.floor(horizonMs));
    }
  }

  #tell(connection: Connection, trade: VenueTrade): void {
    const { rates } = this.#life.world.scenario;
    const hurting = this.#life.world.isHurting;
    this.#life.step("a trade");
    this.#hear(trade.toldMs);
    if (trade.omitted) {
      this.#sink?.onOmitted?.(trade.symbol, trade.id, trade.id, trade.timeMs);
      return;
    }
    if (hurting && this.#chance.chance(rates["feed.lost"] * 0.02)) return;
    if (hurting && this.#chance.chance(rates["feed.unreadable"] * 0.05)) {
      this.#sink?.onUnreadable?.(this.#chance.chance(0.5) ? [trade.symbol] : connection.symbols, "garbage");
      return;
    }
    this.#noteLate(trade);
    this.#sink?.onTrade({
      symbol: trade.symbol,
      id: trade.id,
      price: (trade.ticks / 100).toFixed(2),
      quantity: (trade.lots / 1000).toFixed(3),
      timeMs: trade.timeMs,
      buyerIsMaker: trade.buyerIsMaker,
    });
  }

  #noteBeginning(run: number, symbol: string): void {
    const known = this.#market.beginnings.get(symbol) ?? [];
    if (known.some((one) => one.feed === this.#runs && one.run === run)) return;
    const beginning = { life: this.#life, feed: this.#runs, run, atMs: this.#life.world.nowMs };
    this.#market.beginnings.set(symbol, [...known, beginning]);
  }

  #noteLate({ symbol, timeMs, toldMs }: VenueTrade): void {
    const openTime = Math.floor(timeMs / MINUTE) * MINUTE;
    if (toldMs < openTime + MINUTE) return;
    const { lateWords } = this.#market;
    const key = `${symbol} ${openTime}`;
    const word = { life: this.#life, feed: this.#runs, run: this.#runs.run, atMs: this.#life.world.nowMs };
    lateWords.set(key, [...(lateWords.get(key) ?? []), word]);
  }

  #hear(exchangeMs: number): void {
    const known = this.facts().exchangeTimeMs ?? Number.NEGATIVE_INFINITY;
    if (exchangeMs < known) return;
    this.#newestMs = exchangeMs;
    this.#heardAtMs = this.#life.world.nowMs;
  }
}

function firstToldAfter(trades: readonly VenueTrade[], toldMs: number): number {
  let [low, high] = [0, trades.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((trades[middle]?.toldMs ?? 0) <= toldMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
