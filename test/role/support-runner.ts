import { platform } from "#platform";
import type { StoredCandle } from "../../src/core/candle.ts";
import { isDelivered } from "../../src/core/delivery.ts";
import type { Log, OpenSqlite } from "../../src/core/env.ts";
import { nodeName } from "../../src/core/symbol.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import type { Broker } from "../../src/execution/broker.ts";
import { PaperBroker } from "../../src/execution/paper-broker.ts";
import type { RunnerOptions } from "../../src/execution/runner-core.ts";
import type { MarketSubscription } from "../../src/provider/market.ts";
import { RunnerLife } from "../../src/role/runner/runner-life.ts";
import type { StoreReader, StoreView } from "../../src/store/contract.ts";
import type { Strategy } from "../../src/strategy/contract.ts";
import { StrategyHost } from "../../src/strategy/host.ts";
import { strategySettings } from "../../src/strategy/params.ts";
import { MemoryMarket, STORE_ID } from "../execution/support/market.ts";
import type { VirtualTime } from "../execution/support/virtual-time.ts";

/** A store's reader over rows in memory, of which `throughSeq` are published. */
export class MemoryReader extends MemoryMarket implements StoreReader {
  override view(): Promise<StoreView> {
    const published = this.rows.filter(({ commitSeq }) => commitSeq <= this.throughSeq);
    const heads = new Map(
      published.map(({ symbol, openTime, commitSeq, close }) => [
        symbol,
        { lastOpenTime: openTime, lastCommitSeq: commitSeq, lastClose: close, lastTradeId: null },
      ]),
    );
    const closedThrough = published.at(-1)?.openTime ?? null;
    const about = { storeId: STORE_ID, venue: "test", environment: "test" };
    return Promise.resolve({ ...about, throughSeq: this.throughSeq, closedThrough, heads });
  }

  async delivery(
    afterSeq: number,
    limit: number,
  ): Promise<{ candles: StoredCandle[]; throughSeq: number; view: StoreView }> {
    const rows = this.rows
      .filter(({ commitSeq }) => commitSeq > afterSeq && commitSeq <= this.throughSeq)
      .slice(0, limit);
    const candles = rows.filter(isDelivered);
    return { candles, throughSeq: rows.at(-1)?.commitSeq ?? afterSeq, view: await this.view() };
  }

  latest(): Promise<readonly StoredCandle[]> {
    return Promise.resolve([]);
  }

  gaps(): Promise<readonly never[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A fast rail that tells the time and no candle: the store is all there is. */
class QuietMarket implements MarketSubscription {
  readonly #time: VirtualTime;
  readonly #reader: MemoryReader;
  #beat: { cancel(): void } | null = null;

  constructor(time: VirtualTime, reader: MemoryReader) {
    this.#time = time;
    this.#reader = reader;
  }

  start: MarketSubscription["start"] = ({ onHeartbeat }) => {
    let seq = 0;
    this.#beat = this.#time.timers.every(1000, () => {
      const nowMs = this.#time.nowMs;
      const envelope = { v: 1, node: "market-data", epoch: "e", seq: ++seq, sentAt: nowMs };
      const { throughSeq } = this.#reader;
      const closedThrough = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS - MINUTE_MS;
      onHeartbeat({
        ...envelope,
        storeId: STORE_ID,
        commitSeq: throughSeq,
        closedThrough,
        exchangeTime: nowMs,
        speed: 1,
      });
    });
    return Promise.resolve();
  };

  stop(): Promise<void> {
    this.#beat?.cancel();
    return Promise.resolve();
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }
}

export interface LifeParts {
  readonly folder: string;
  readonly strategy: Strategy;
  readonly reader: MemoryReader;
  readonly time: VirtualTime;
  readonly broker?: () => Broker;
  readonly openSqlite?: OpenSqlite;
  readonly symbols?: readonly string[];
  readonly execution?: RunnerOptions;
}

export interface LifeUnderTest {
  readonly life: RunnerLife;
  readonly stop: AbortController;
  /** What was said, with its level first. */
  readonly said: readonly string[];
}

/** The real composition of a runner on a store in memory, in virtual time. */
export function lifeOf(parts: LifeParts): LifeUnderTest {
  const stop = new AbortController();
  const said: string[] = [];
  const say = (level: string) => (message: string) => void said.push(`${level} ${message}`);
  const log: Log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  const life = new RunnerLife(
    {
      reader: parts.reader,
      openMarket: () => new QuietMarket(parts.time, parts.reader),
      openHost: () => new StrategyHost(parts.strategy, strategySettings(parts.strategy, null)),
      openBroker: parts.broker ?? (() => new PaperBroker()),
      openSqlite: parts.openSqlite ?? platform.openSqlite,
      files: platform.files,
      clock: parts.time.clock,
      timers: parts.time.timers,
      log,
      stop: stop.signal,
    },
    {
      folder: parts.folder,
      name: nodeName("tester"),
      symbols: parts.symbols ?? "all",
      execution: parts.execution ?? {},
    },
  );
  return { life, stop, said };
}
