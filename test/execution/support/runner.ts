import { platform } from "#platform";
import type { Clock, Log, OpenSqlite, Timers } from "../../../src/core/env.ts";
import { nodeName } from "../../../src/core/symbol.ts";
import type { Broker } from "../../../src/execution/broker.ts";
import type { DecisionMaker, MarketHistory } from "../../../src/execution/decision-maker.ts";

import { type Journal, openJournal } from "../../../src/execution/journal.ts";
import type { JournalBinding } from "../../../src/execution/journal-schema.ts";
import { PaperBroker } from "../../../src/execution/paper-broker.ts";
import { RunnerCore, type RunnerOptions } from "../../../src/execution/runner-core.ts";
import type { Strategy } from "../../../src/strategy/contract.ts";
import { StrategyHost } from "../../../src/strategy/host.ts";
import { strategySettings } from "../../../src/strategy/params.ts";
import { STORE_ID } from "./market.ts";

export const { timers } = platform;
export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export const BINDING: JournalBinding = {
  storeId: STORE_ID,
  mode: "paper",
  runner: nodeName("tester"),
  strategy: "test",
  version: "1",
  params: "{}",
  symbols: "all",
  timeframe: "1m",
};

export function journalIn(
  folder: string,
  binding: Partial<JournalBinding> = {},
  openSqlite: OpenSqlite = platform.openSqlite,
): Journal {
  return openJournal({ openSqlite, files: platform.files }, folder, { ...BINDING, ...binding });
}

export function hostOf(strategy: Strategy, params: string | null = null): StrategyHost {
  return new StrategyHost(strategy, strategySettings(strategy, params));
}

export function bindingOf(host: StrategyHost, more: Partial<JournalBinding> = {}): Partial<JournalBinding> {
  return { ...host.identity, timeframe: host.timeframe, ...more };
}

export interface RunnerParts {
  readonly journal: Journal;
  readonly maker: DecisionMaker;
  readonly market: MarketHistory;
  readonly broker?: Broker;
  readonly exchangeNowMs?: () => number | null;
  readonly halted?: () => string | null;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly log?: Log;
}

export function runnerOf(parts: RunnerParts, options: RunnerOptions = {}): RunnerCore {
  return new RunnerCore(
    {
      journal: parts.journal,
      broker: parts.broker ?? new PaperBroker(),
      maker: parts.maker,
      market: parts.market,
      exchangeNowMs: parts.exchangeNowMs ?? (() => null),
      halted: parts.halted ?? (() => null),
      clock: parts.clock ?? platform.clock,
      timers: parts.timers ?? timers,
      log: parts.log ?? quietLog,
    },
    options,
  );
}

/** Everything a journal holds that must come out the same whatever happened on the way. */
export function journalContents(path: string): unknown {
  const database = platform.openSqlite(path, { readOnly: true });
  try {
    const all = (sql: string) => database.prepare(sql).all();
    return {
      intents: all(
        "SELECT client_order_id, symbol, open_time, ordinal, side, quantity, status, reason, decided_at, payload, refusal, wish FROM intent ORDER BY symbol, open_time, ordinal",
      ),
      fills: all(
        "SELECT fill_id, client_order_id, symbol, side, candle_open_time, price, quantity, fee, base_fee FROM fill ORDER BY symbol, candle_open_time, fill_id",
      ),
      days: all("SELECT * FROM day ORDER BY day"),
      cursors: all("SELECT * FROM cursor ORDER BY symbol"),
      anchors: all("SELECT * FROM anchor ORDER BY symbol"),
      states: all("SELECT * FROM strategy_state ORDER BY symbol"),
      meta: all("SELECT * FROM meta ORDER BY key"),
    };
  } finally {
    database.close();
  }
}
