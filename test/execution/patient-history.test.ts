import { expect, test } from "bun:test";
import type { StoredCandle } from "../../src/core/candle.ts";
import type { Log, Timers } from "../../src/core/env.ts";
import { type ErrorCode, FabricError } from "../../src/core/errors.ts";
import { PatientHistory } from "../../src/execution/patient-history.ts";
import { BUILTIN_STRATEGIES } from "../../src/strategy/builtins.ts";
import type { Strategy } from "../../src/strategy/contract.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { candle, deliveryAfter, MemoryMarket } from "./support/market.ts";
import { bindingOf, hostOf, journalIn, quietLog, runnerOf, timers } from "./support/runner.ts";

const rows = Array.from({ length: 20 }, (_, minute) => candle("BTCUSDT", minute, { close: 100 + (minute % 3) }));

/** A store whose next `left` reads of history fail. */
class TroubledMarket extends MemoryMarket {
  left = 0;
  failed = 0;
  readonly code: ErrorCode;

  constructor(code: ErrorCode) {
    super(rows);
    this.code = code;
  }

  override history(symbol: string, from: number, to: number): Promise<readonly StoredCandle[]> {
    if (this.left-- <= 0) return super.history(symbol, from, to);
    this.failed++;
    return Promise.reject(new FabricError(this.code, "a listed file is missing"));
  }
}

/** A runner over the market whose journal already stands in the middle of it; the strategy saves no state. */
async function restarted(folder: string, market: TroubledMarket, log: Log = quietLog) {
  const first = runnerIn(folder, market, quietLog);
  const cursor = await first.start(5);
  for (const { event, cursor: after } of deliveryAfter(rows.slice(0, 12), cursor)) await first.handle(event, after);
  await first.close();
  return runnerIn(folder, market, log);
}

function runnerIn(folder: string, market: TroubledMarket, log: Log) {
  const host = hostOf(withoutMemory(), "fast=2,slow=4");
  return runnerOf({ journal: journalIn(folder, bindingOf(host)), maker: host, market, log });
}

function withoutMemory(): Strategy {
  const strategy = BUILTIN_STRATEGIES.get("sma-cross");
  if (!strategy) throw new Error("no built-in sma-cross");
  const { save: _save, restore: _restore, ...rest } = { save: null, restore: null, ...strategy };
  return rest;
}

for (const code of ["unavailable", "io", "missing-input", "try-again"] as const) {
  test(`A runner whose history reads fail with "${code}" for a while starts once they work, and says so once`, async () => {
    using folder = tempFolder();
    const market = new TroubledMarket(code);
    const warnings: string[] = [];
    const core = await restarted(folder.path, market, { ...quietLog, warn: (message) => void warnings.push(message) });
    market.left = 2;
    const cursor = await core.start(5);
    expect(core.status()).toEqual({ state: "running", reason: null });
    expect(cursor.throughSeq).toBe(12);
    expect(market.failed).toBe(2);
    expect(warnings).toEqual(["Waiting for the history of BTCUSDT, trying again: a listed file is missing"]);
    await core.close();
  });
}

for (const code of ["refused", "config", "internal"] as const) {
  test(`A history read that fails with "${code}" halts the runner`, async () => {
    using folder = tempFolder();
    const market = new TroubledMarket(code);
    const core = await restarted(folder.path, market);
    market.left = 1;
    await expect(core.start(5)).rejects.toThrow("a listed file is missing");
    expect(core.status()).toEqual({ state: "halted", reason: "a listed file is missing" });
    await core.close();
  });
}

test("Warming up a symbol seen for the first time waits for the store as a start does", async () => {
  using folder = tempFolder();
  const market = new TroubledMarket("unavailable");
  const core = runnerIn(folder.path, market, quietLog);
  const cursor = await core.start(5);
  market.left = 2;
  for (const { event, cursor: after } of deliveryAfter(rows, cursor)) await core.handle(event, after);
  expect(market.failed).toBe(2);
  expect(core.status().state).toBe("running");
  expect(core.counters()["candles.total"]).toBe(15);
  await core.close();
});

test("Closing a runner ends its waiting for a store that never answers", async () => {
  using folder = tempFolder();
  const market = new TroubledMarket("unavailable");
  const core = await restarted(folder.path, market);
  market.left = Number.POSITIVE_INFINITY;
  const starting = core.start(5).then(
    () => null,
    (error: unknown) => error,
  );
  await eventually(() => market.failed > 0);
  await core.close();
  expect(await starting).toMatchObject({ code: "try-again" });
});

test("Tries come after 100 ms, doubling to 2 s, and a warning after every 10 s of waiting", async () => {
  const market = new TroubledMarket("io");
  market.left = 16;
  const delays: number[] = [];
  const warnings: string[] = [];
  const instant: Timers = {
    ...timers,
    after(delayMs, run) {
      delays.push(delayMs);
      queueMicrotask(run);
      return { cancel() {} };
    },
  };
  const log = { ...quietLog, warn: (message: string) => void warnings.push(message) };
  const history = new PatientHistory({ market, timers: instant, log });
  expect((await history.history("BTCUSDT", 0, Number.MAX_SAFE_INTEGER)).length).toBe(20);
  expect(delays.slice(0, 7)).toEqual([100, 200, 400, 800, 1600, 2000, 2000]);
  expect(delays.length).toBe(16);
  expect(Math.max(...delays)).toBe(2000);
  expect(warnings.length).toBe(3);
});
