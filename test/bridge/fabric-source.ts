import type { BarPage, BarQuery } from "../../src/core/bars.ts";
import type { StoredCandle } from "../../src/core/candle.ts";
import { closeTimeOf } from "../../src/core/candle.ts";
import type { LogLevel } from "../../src/core/env.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { candleTopic, TOPICS } from "../../src/core/topic.ts";
import type {
  DecisionEntry,
  FillEntry,
  LogEntry,
  NodeRole,
  OrderRow,
  ProfitAndLoss,
  RailState,
  ScanRow,
} from "../../src/core/wire.ts";
import { barsOf } from "./memory-bars.ts";

const DAY_MS = 86_400_000;
const START = Date.parse("2025-01-01T00:00:00Z");
const FIRST_PRICES: Readonly<Record<string, number>> = { BTCUSDT: 94_210.4, ETHUSDT: 3348.21, SOLUSDT: 189.43 };

/** A small seeded generator (mulberry32), so that a picture or a failure can be had again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Ingest = (topic: string, body: string) => void;

/** What a whole running fabric sends in a second of wall time at speed 60: one candle per symbol and every node's telemetry. */
export class FabricSource {
  readonly symbols = Object.keys(FIRST_PRICES);
  readonly #history = new Map<string, StoredCandle[]>();
  readonly #random = seeded(7);
  readonly #seqs = new Map<string, number>();
  readonly #logs = new Map<string, LogEntry[]>();
  readonly #orders: OrderRow[] = [];
  readonly #fills: FillEntry[] = [];
  readonly #decisions: DecisionEntry[] = [];
  readonly #startedAt = Date.now();
  #commitSeq = 0;
  #minute = START;
  silent = new Set<string>();

  constructor(historyMinutes = 240) {
    for (let i = 0; i < historyMinutes; i++) this.#close();
  }

  /** As the store would answer `/api/candles`. */
  readonly bars = async (query: BarQuery): Promise<BarPage> => barsOf(this.#history.get(query.symbol) ?? [], query);
  readonly gaps = async (): Promise<readonly never[]> => [];

  /** Closes one minute and sends everything. */
  second(ingest: Ingest): void {
    for (const candle of this.#close()) {
      this.#send(ingest, "market-data", candleTopic(candle.symbol), {
        storeId: "5e9bafe8-0b8a-4b53-8e8e-1d5c2e9a7f10",
        ...candle,
        closeTime: closeTimeOf(candle.openTime),
      });
    }
    this.#maybeTrade();
    this.#node(
      ingest,
      "sim",
      "sim",
      { seed: 1, speed: 60 },
      { ...processValues(2), "events.total": this.#commitSeq * 41 },
    );
    this.#node(ingest, "market-data", "market-data", { feed: "binance", venue: "simulated" }, this.#marketValues());
    this.#runner(ingest, "sma-cross");
    this.#runner(ingest, "channel-breakout");
    this.#scanner(ingest);
  }

  log(node: string, level: LogLevel, message: string): void {
    const entries = [...(this.#logs.get(node) ?? []), { at: Date.now(), level, message }].slice(-50);
    this.#logs.set(node, entries);
  }

  #close(): readonly StoredCandle[] {
    const candles = this.symbols.map((symbol) => this.#candle(symbol));
    this.#minute += MINUTE_MS;
    this.log(
      "market-data",
      "info",
      `Closed ${new Date(this.#minute - MINUTE_MS).toISOString().slice(11, 16)}: 3 candles, commit 1.2 ms`,
    );
    return candles;
  }

  #candle(symbol: string): StoredCandle {
    const rows = this.#history.get(symbol) ?? [];
    const last = rows.at(-1);
    const open = last?.close ?? FIRST_PRICES[symbol] ?? 100;
    const round = (price: number) => Math.round(price * 100) / 100;
    const swing = open * 0.0012;
    const close = round(open + (this.#random() - 0.495) * swing * 2);
    const volume = Math.round((20 + this.#random() ** 3 * 180) * 1000) / 1000;
    const trades = 40 + Math.floor(this.#random() * 900);
    const candle: StoredCandle = {
      symbol,
      openTime: this.#minute,
      open,
      high: round(Math.max(open, close) + this.#random() * swing),
      low: round(Math.min(open, close) - this.#random() * swing),
      close,
      volume,
      quoteVolume: round(volume * close),
      trades,
      takerBuyVolume: round(volume * 0.52),
      takerBuyQuoteVolume: round(volume * close * 0.52),
      firstTradeId: this.#commitSeq * 1000,
      lastTradeId: this.#commitSeq * 1000 + trades - 1,
      provenance: this.#random() < 0.03 ? "backfilled" : "complete",
      commitSeq: ++this.#commitSeq,
      prevOpenTime: last?.openTime ?? null,
    };
    this.#history.set(symbol, [...rows, candle].slice(-5000));
    return candle;
  }

  #maybeTrade(): void {
    if (this.#random() > 0.25) return;
    const symbol = this.symbols[Math.floor(this.#random() * 3)] ?? "BTCUSDT";
    const side = this.#random() < 0.5 ? "buy" : "sell";
    const close = this.#history.get(symbol)?.at(-1)?.close ?? 1;
    const quantity = symbol === "BTCUSDT" ? "0.05000000" : symbol === "ETHUSDT" ? "1.5" : "25";
    const clientOrderId = `f${(this.#commitSeq * 7919).toString(36).padStart(12, "0")}`;
    const [openTime, at] = [this.#minute - MINUTE_MS, this.#minute];
    const status = this.#random() < 0.08 ? "expired" : "filled";
    const price = this.#orders.length === 0 ? null : close.toFixed(2);
    this.#orders.unshift({
      ...{ clientOrderId, runner: "sma-cross", symbol, openTime, side, quantity },
      price: status === "filled" ? price : null,
      status,
    });
    this.#decisions.unshift({
      ...{ clientOrderId, symbol, openTime, at, side, quantity, outcome: status },
      reason: `fast average crossed ${side === "buy" ? "above" : "below"} slow`,
      outcomeReason: status === "expired" ? "its candle closed over 120000 ms ago" : null,
      refusal: status === "expired" ? "age" : null,
    });
    if (status === "filled") {
      const fee = (close * Number(quantity) * 0.001).toFixed(8);
      this.#fills.unshift({
        ...{ clientOrderId, symbol, side, quantity, fee, feeAsset: "USDT", openTime: this.#minute, at },
        price: close.toFixed(2),
      });
    }
    for (const list of [this.#orders, this.#decisions, this.#fills]) list.splice(50);
    this.log("sma-cross", "info", `Decided ${side} ${symbol}: fast average crossed the slow one`);
  }

  #rails(node: string): readonly RailState[] {
    return this.symbols.map((symbol) => {
      const fallback = node === "channel-breakout" && symbol === "SOLUSDT";
      return {
        symbol,
        rail: fallback ? ("FALLBACK" as const) : ("FAST" as const),
        reason: fallback ? "hole after 00:41: read from the store" : "on time",
        ageMs: fallback ? 2400 : 180,
        lastOpenTime: this.#minute - MINUTE_MS,
        delivered: 240,
        digest: "0".repeat(32),
      };
    });
  }

  #runner(ingest: Ingest, name: string): void {
    const values = {
      ...processValues(name.length),
      "publish.sent.total": this.#commitSeq,
      "socket.received.total": this.#commitSeq,
      "candles.total": this.#commitSeq,
      "orders.sent.total": this.#orders.length,
      "publish.to.decided.p50.ms": 1.92,
      "publish.to.decided.p99.ms": 4.41,
      "fast.delivered.total": this.#commitSeq,
      "polls.total": 12,
    };
    this.#node(ingest, name, "runner", { strategy: name, symbols: 3 }, values, this.#rails(name));
    const positions = this.symbols.map((symbol, i) => {
      const lastPrice = this.#history.get(symbol)?.at(-1)?.close ?? 1;
      const quantity = [0.15, 0, -40][i] ?? 0;
      const entry = lastPrice * (1 + (i - 1) * 0.0007);
      return {
        symbol,
        quantity: quantity.toFixed(8),
        averagePrice: quantity === 0 ? "0" : entry.toFixed(2),
        realisedPnl: (41.13 * (1 - i) + 12.4).toFixed(8),
        unrealisedPnl: ((lastPrice - entry) * quantity).toFixed(8),
        lastPrice,
      };
    });
    const own = name === "sma-cross";
    this.#send(ingest, name, TOPICS.positions, {
      mode: "paper",
      strategy: name,
      positions: own ? positions : [],
      orders: own ? this.#orders : [],
      fills: own ? this.#fills : [],
      decisions: own ? this.#decisions : [],
      pnl: own ? this.#profit(positions) : { day: null, today: "0", total: "0", byQuote: [] },
      instruments: this.symbols.map((symbol) => ({
        ...{ symbol, priceDecimals: 2, quantityDecimals: 3, source: "observed" },
      })),
    });
    this.#indicators(ingest, name, own);
  }

  #profit(positions: readonly { readonly realisedPnl: string; readonly unrealisedPnl: string }[]): ProfitAndLoss {
    const sum = positions.reduce((pnl, row) => pnl + Number(row.realisedPnl) + Number(row.unrealisedPnl), 0);
    const [today, total] = [(sum * 0.3).toFixed(8), sum.toFixed(8)];
    return {
      day: Math.floor(this.#minute / DAY_MS) * DAY_MS,
      today,
      total,
      byQuote: [{ quote: "USDT", today, total }],
    };
  }

  /** Two averages of closes, or the channel of the bars before, over the newest 120 minutes. */
  #indicators(ingest: Ingest, name: string, averages: boolean): void {
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const symbols = this.symbols.map((symbol) => {
      const rows = this.#history.get(symbol) ?? [];
      const first = Math.max(20, rows.length - 120);
      return {
        symbol,
        names: averages ? ["fast", "slow"] : ["ceiling", "floor"],
        rows: rows.slice(first).map(({ openTime }, i) => {
          const at = first + i;
          const closes = rows.slice(at - 19, at + 1).map(({ close }) => close);
          const before = rows.slice(at - 20, at);
          if (averages) return [openTime, mean(closes.slice(-5)), mean(closes)];
          return [openTime, Math.max(...before.map(({ high }) => high)), Math.min(...before.map(({ low }) => low))];
        }),
      };
    });
    this.#send(ingest, name, TOPICS.indicators + name, { strategy: name, timeframe: "1m", symbols, omitted: 0 });
  }

  #scanner(ingest: Ingest): void {
    this.#node(
      ingest,
      "scanner",
      "scanner",
      { rules: 3 },
      { ...processValues(3), "scan.candles.total": this.#commitSeq },
      this.#rails("scanner"),
    );
    const rows = ["momentum-rank", "range-breakout", "volume-spike"].flatMap((rule, r) =>
      this.symbols
        .map((symbol) => ({ symbol, score: (this.#random() - 0.3) * (r + 1) }))
        .sort((a, b) => b.score - a.score)
        .map(
          ({ symbol, score }, i): ScanRow => ({
            rule,
            symbol,
            rank: i + 1,
            score,
            openTime: this.#minute - MINUTE_MS,
            note: ["over 20 minutes", "above the 55-minute high", "3.1 × the usual volume"][r] ?? "",
          }),
        ),
    );
    this.#send(ingest, "scanner", `${TOPICS.scan}scanner`, { rows });
  }

  #marketValues(): Readonly<Record<string, number>> {
    return {
      ...processValues(4),
      "feed.trades.total": this.#commitSeq * 437,
      "feed.reconnects.total": 0,
      "ingest.gaps.total": 0,
      "close.to.publish.p50.ms": 1.4,
      "close.to.publish.p99.ms": 6.2,
      "store.lastCommitMs": 1.18,
      "store.rows": this.#commitSeq,
      "publish.sent.total": this.#commitSeq * 2,
      "publish.dropped.total": 0,
    };
  }

  #node(
    ingest: Ingest,
    node: string,
    role: NodeRole,
    details: Readonly<Record<string, string | number>>,
    values: Readonly<Record<string, number>>,
    rails: readonly RailState[] = [],
  ): void {
    const degraded = node === "channel-breakout";
    this.#send(ingest, node, TOPICS.health + node, {
      role,
      pid: 4200 + node.length,
      version: "0.1.0",
      uptimeMs: Date.now() - this.#startedAt + 754_000,
      state: degraded ? "degraded" : "running",
      reason: degraded ? "SOLUSDT is on the fallback rail: a hole after 00:41 is read from the store" : null,
      dataAgeMs: role === "sim" ? null : 210,
      mode: role === "runner" ? "paper" : null,
      details,
    });
    this.#send(ingest, node, TOPICS.metrics, { role, values, rails });
    this.#send(ingest, node, TOPICS.logs + node, { entries: this.#logs.get(node) ?? [], dropped: 0 });
  }

  #send(ingest: Ingest, node: string, topic: string, body: object): void {
    if (this.silent.has(node)) return;
    const seq = (this.#seqs.get(`${node} ${topic}`) ?? 0) + 1;
    this.#seqs.set(`${node} ${topic}`, seq);
    ingest(topic, JSON.stringify({ v: 1, node, epoch: `e-${node}`, seq, sentAt: Date.now(), ...body }));
  }
}

function processValues(seed: number): Readonly<Record<string, number>> {
  return {
    "process.cpu.percent": 1.5 + seed / 4,
    "process.rss.bytes": (90 + seed * 7) * 1_048_576,
    "loop.lag.p50.ms": 0.12,
    "loop.lag.p99.ms": 1 + seed / 10,
  };
}
