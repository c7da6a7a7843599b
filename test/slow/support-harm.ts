import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import { type CandleBody, type MetricsBody, parseCandleBody } from "../../src/core/wire.ts";
import { dataFolder } from "../../src/role/lifecycle/data-folder.ts";
import { rank } from "../bench/figures.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A stretch of the test, by the wall clock that the nodes' own stamps are of. */
export interface Phase {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** What was done to the bridge, and what it did. */
  readonly note: string;
}

interface RunnerTold {
  readonly atMs: number;
  readonly delivered: number;
  readonly notFast: number;
  readonly p50: number;
  readonly p99: number;
}

/** Hears market-data and runners over their own sockets, with no bridge between. */
export class TradingEar implements AsyncDisposable {
  readonly candles: CandleBody[] = [];
  readonly told = new Map<string, RunnerTold[]>();
  #subscriber: ZmqSubscriber | null = null;

  static async open(data: string, runners: readonly string[]): Promise<TradingEar> {
    const ear = new TradingEar();
    const folder = dataFolder(data);
    ear.#subscriber = await ZmqSubscriber.open(
      {
        endpoints: { connect: ["market-data", ...runners].map((node) => folder.ipcEndpoint(node)) },
        filters: [{ prefix: "market.candle." }, { topic: "telemetry.metrics" }],
        onMessage: ({ topic, body }) => {
          if (topic === "telemetry.metrics") ear.#onMetrics(JSON.parse(body) as MetricsBody);
          else ear.#onCandle(body);
        },
      },
      { backend: zmqBackend, clock: platform.clock, log: silent },
    );
    return ear;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subscriber?.close();
  }

  #onCandle(text: string): void {
    const body = parseCandleBody(text);
    if (typeof body !== "string") this.candles.push(body);
  }

  #onMetrics({ node, role, values, rails }: MetricsBody): void {
    if (role !== "runner") return;
    const told = this.told.get(node) ?? [];
    this.told.set(node, told);
    told.push({
      atMs: Date.now(),
      delivered: rails.reduce((sum, rail) => sum + rail.delivered, 0),
      notFast: rails.filter(({ rail }) => rail !== "FAST").length,
      p50: values["publish.to.decided.p50.ms"] ?? Number.NaN,
      p99: values["publish.to.decided.p99.ms"] ?? Number.NaN,
    });
  }
}

/** When a runner's decisions were in its journal, wall ms. */
export function decisionTimes(data: string, runner: string): readonly DecisionTime[] {
  const database = platform.openSqlite(`${data}/journal/${runner}.sqlite`, { readOnly: true });
  try {
    const sql = "SELECT symbol, open_time, ordinal, journaled_at FROM intent ORDER BY journaled_at";
    return database
      .prepare(sql)
      .all()
      .map((row) => ({
        symbol: String(row.symbol),
        openTime: Number(row.open_time),
        ordinal: Number(row.ordinal),
        journaledMs: Number(row.journaled_at),
      }));
  } finally {
    database.close();
  }
}

interface DecisionTime {
  readonly symbol: string;
  readonly openTime: number;
  readonly ordinal: number;
  readonly journaledMs: number;
}

export interface PhaseFigures {
  readonly name: string;
  readonly note: string;
  readonly seconds: number;
  /** Candles that market-data published, and wall ms from their minute's end to that. */
  readonly published: number;
  readonly closeP50: number;
  readonly closeP99: number;
  /** Candles delivered to the runner, by its own telemetry; states of its rails that were not FAST. */
  readonly delivered: number;
  readonly notFast: number;
  /** Orders decided, and wall ms from their candle's publication to their journal, each in whole ms. */
  readonly orders: number;
  readonly decidedP50: number;
  readonly decidedP99: number;
  readonly decidedMax: number;
  /** `publish.to.decided` as the runner tells it at the phase's end, of its newest 1,024 candles. */
  readonly toldP50: number;
  readonly toldP99: number;
}

/** What market-data and a runner did in a phase. `endOf` tells the wall time at which an exchange time came. */
export function phaseFigures(
  phase: Phase,
  ear: TradingEar,
  runner: string,
  decisions: readonly DecisionTime[],
  endOf: (exchangeMs: number) => number,
): PhaseFigures {
  const isIn = (ms: number) => ms >= phase.fromMs && ms < phase.toMs;
  const published = ear.candles.filter(({ sentAt }) => isIn(sentAt));
  const closes = published.map(({ sentAt, closeTime }) => sentAt - endOf(closeTime + 1));
  const sentAt = new Map(ear.candles.map((candle) => [`${candle.symbol} ${candle.openTime}`, candle.sentAt]));
  const decided = decisions.filter(({ journaledMs }) => isIn(journaledMs));
  const waits = decided.flatMap(({ symbol, openTime, ordinal, journaledMs }) => {
    const sent = sentAt.get(`${symbol} ${openTime}`);
    return sent === undefined || ordinal > 0 ? [] : [journaledMs - sent];
  });
  const all = ear.told.get(runner) ?? [];
  const told = all.filter(({ atMs }) => isIn(atMs));
  // Told once a second: what came by the second before the phase was told before it.
  const first = all.findLast(({ atMs }) => atMs < phase.fromMs) ?? told.at(0);
  const last = told.at(-1);
  return {
    name: phase.name,
    note: phase.note,
    seconds: (phase.toMs - phase.fromMs) / 1000,
    published: published.length,
    closeP50: rank(closes, 0.5),
    closeP99: rank(closes, 0.99),
    delivered: (last?.delivered ?? 0) - (first?.delivered ?? 0),
    notFast: told.reduce((sum, { notFast }) => sum + notFast, 0),
    orders: decided.length,
    decidedP50: rank(waits, 0.5),
    decidedP99: rank(waits, 0.99),
    decidedMax: rank(waits, 1),
    toldP50: last?.p50 ?? Number.NaN,
    toldP99: last?.p99 ?? Number.NaN,
  };
}

/** A line for each phase, for people. */
export function phaseTable(figures: readonly PhaseFigures[]): string {
  const ms = (value: number) => value.toFixed(0).padStart(5);
  const head =
    "bridge          s  published  close→wire p50   p99  delivered  not FAST  orders  wire→journal p50   p99   max  told p50   p99 (newest 1,024)";
  const lines = figures.map((each) =>
    [
      each.name.padEnd(11),
      each.seconds.toFixed(0).padStart(6),
      `${each.published}`.padStart(11),
      ms(each.closeP50).padStart(16),
      ` ${ms(each.closeP99)}`,
      `${each.delivered}`.padStart(11),
      `${each.notFast}`.padStart(10),
      `${each.orders}`.padStart(8),
      ms(each.decidedP50).padStart(18),
      ` ${ms(each.decidedP99)}`,
      ` ${ms(each.decidedMax)}`,
      each.toldP50.toFixed(0).padStart(10),
      ` ${ms(each.toldP99)}`,
      each.note === "" ? "" : `   ${each.note}`,
    ].join(""),
  );
  return [head, ...lines].join("\n");
}
