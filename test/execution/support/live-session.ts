import { platform } from "#platform";
import type { StoredCandle } from "../../../src/core/candle.ts";
import type { Log } from "../../../src/core/env.ts";
import { MINUTE_MS } from "../../../src/core/time.ts";
import type { Broker } from "../../../src/execution/broker.ts";
import { journalPath } from "../../../src/execution/journal.ts";
import { readOrders } from "../../../src/execution/orders.ts";
import type { RunnerCore, RunnerOptions } from "../../../src/execution/runner-core.ts";
import { defineStrategy, type Strategy } from "../../../src/strategy/contract.ts";
import { v } from "../../../src/strategy/public.ts";
import type { Life } from "./crash.ts";
import { candle, deliveryAfter, MemoryMarket, START } from "./market.ts";
import { bindingOf, hostOf, journalIn, runnerOf } from "./runner.ts";
import { Venue } from "./venue.ts";
import { flushed, VirtualTime } from "./virtual-time.ts";

export const rows: readonly StoredCandle[] = Array.from({ length: 30 }, (_, minute) => candle("BTCUSDT", minute));

export const minuteAt = (minute: number) => START + minute * MINUTE_MS;

/** Trades on the minutes named, so many orders each. */
export function trader(minutes: readonly number[], orders = 1, side: "buy" | "sell" = "buy", quantity = "1"): Strategy {
  return defineStrategy({
    name: "buyer",
    version: "1",
    params: v.object({}),
    warmup: () => 0,
    init: () => ({}),
    onCandle: ({ candle: { openTime } }) =>
      minutes.includes((openTime - START) / MINUTE_MS)
        ? Array.from({ length: orders }, () => ({ side, quantity }))
        : [],
  });
}

export interface SessionParts {
  readonly folder: string;
  readonly broker: Broker;
  readonly strategy: Strategy;
  /** The venue's clock, moved along by the candles; outlives the session. */
  readonly exchange?: { nowMs: number | null };
  readonly options?: RunnerOptions;
  readonly life?: Life;
  readonly halted?: () => string | null;
  readonly rows?: readonly StoredCandle[];
  readonly symbols?: readonly string[];
  readonly log?: Log;
}

/** A live runner's core on a memory market, in virtual time: candles move the clocks by their minute. */
export interface LiveSession {
  readonly core: RunnerCore;
  readonly time: VirtualTime;
  /** Handles the delivery from the cursor up to a minute, this one included. */
  upTo(minute: number): Promise<void>;
}

/** Makes a session without starting it. */
export function liveSession(parts: SessionParts): LiveSession & { readonly exchange: { nowMs: number | null } } {
  const exchange = parts.exchange ?? { nowMs: null };
  const time = new VirtualTime(Math.max(START, exchange.nowMs ?? 0));
  if (parts.broker instanceof Venue) parts.broker.nowMs = () => time.nowMs;
  const given = parts.rows ?? rows;
  const host = hostOf(parts.strategy);
  const openSqlite = parts.life ? parts.life.openSqlite(platform.openSqlite) : platform.openSqlite;
  const binding = bindingOf(host, { mode: "live", ...(parts.symbols ? { symbols: parts.symbols } : {}) });
  const core = runnerOf(
    {
      journal: journalIn(parts.folder, binding, openSqlite),
      maker: host,
      market: new MemoryMarket(given),
      broker: parts.life ? parts.life.broker(parts.broker) : parts.broker,
      exchangeNowMs: () => (exchange.nowMs === null ? null : Math.max(exchange.nowMs, time.nowMs)),
      clock: time.clock,
      timers: time.timers,
      ...(parts.halted ? { halted: parts.halted } : {}),
      ...(parts.log ? { log: parts.log } : {}),
    },
    parts.options,
  );
  const upTo = async (minute: number) => {
    for (const { event, cursor } of deliveryAfter(given, core.cursor())) {
      if (event.type === "candle" && event.candle.openTime > minuteAt(minute)) return;
      if (event.type === "candle") {
        const closedMs = event.candle.openTime + MINUTE_MS;
        await time.to(closedMs);
        exchange.nowMs = Math.max(exchange.nowMs ?? 0, closedMs);
      }
      await core.handle(event, cursor);
      await flushed();
      if (core.trouble !== null) throw new Error(core.trouble);
    }
  };
  return { core, time, upTo, exchange };
}

/** Starts it; a start that waits gets its time. */
export async function startedSession(parts: SessionParts): Promise<LiveSession> {
  const session = liveSession(parts);
  await session.time.until(session.core.start(0, START));
  return session;
}

/** Statuses of the orders in a folder's journal, newest first. */
export const statuses = (folder: string): string[] =>
  readOrders(platform.openSqlite, journalPath(folder, "tester")).map((order) => order.status);
