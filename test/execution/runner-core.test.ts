import { describe, expect, test } from "bun:test";
import { platform } from "#platform";
import type { StoredCandle } from "../../src/core/candle.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { journalPath } from "../../src/execution/journal.ts";
import { readOrders } from "../../src/execution/orders.ts";
import { type CandleContext, defineStrategy, type Strategy } from "../../src/strategy/contract.ts";
import { v } from "../../src/strategy/public.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { candle, deliveryAfter, MemoryMarket, START } from "./support/market.ts";
import { bindingOf, hostOf, journalContents, journalIn, runnerOf } from "./support/runner.ts";

const rows = Array.from({ length: 20 }, (_, minute) => candle("BTCUSDT", minute, { close: 100 + (minute % 3) }));

/** Buys one on every candle, and writes down what it was shown. */
function recorder(seen: string[], onCandle: (context: CandleContext<object, object>) => void = () => {}): Strategy {
  return defineStrategy({
    name: "recorder",
    version: "1",
    params: v.object({}),
    warmup: () => 3,
    init: () => ({}),
    onCandle(context) {
      onCandle(context);
      const minute = (context.candle.openTime - START) / MINUTE_MS;
      const exchangeMinute = (context.exchangeTimeMs - START) / MINUTE_MS;
      seen.push(`${minute}${context.warmingUp ? "w" : ""} holds ${context.position.quantity} at ${exchangeMinute}`);
      return [{ side: "buy" as const, quantity: "1" }];
    },
    onGap: ({ fromOpenTime, toOpenTime }) => {
      seen.push(`gap ${(fromOpenTime - START) / MINUTE_MS} to ${(toOpenTime - START) / MINUTE_MS}`);
    },
  });
}

async function run(
  folder: string,
  strategy: Strategy,
  market: MemoryMarket,
  storeEnd: number,
  through = market.rows.length,
) {
  const host = hostOf(strategy);
  const core = runnerOf({ journal: journalIn(folder, bindingOf(host)), maker: host, market });
  const cursor = await core.start(storeEnd);
  for (const { event, cursor: after } of deliveryAfter(market.rows.slice(0, through), cursor))
    await core.handle(event, after);
  return core;
}

describe("A runner", () => {
  test("warms up on history before its first candle, decides what follows, and sees its own fills", async () => {
    using folder = tempFolder();
    const seen: string[] = [];
    const core = await run(folder.path, recorder(seen), new MemoryMarket(rows), 10, 13);
    expect(seen).toEqual([
      "7w holds 0 at 8",
      "8w holds 0 at 9",
      "9w holds 0 at 10",
      "10 holds 0 at 11",
      "11 holds 1 at 12",
      "12 holds 2 at 13",
    ]);
    expect(core.positions()).toEqual([
      {
        symbol: "BTCUSDT",
        quantity: "2",
        averagePrice: "100.01",
        realisedPnl: "-0.20002",
        unrealisedPnl: "-0.02",
        lastPrice: 100,
      },
    ]);
    await core.close();
  });

  test("shows its strategy after a restart what it showed before it: same warm-up, same positions, no decision twice", async () => {
    using folder = tempFolder();
    const first: string[] = [];
    const before = await run(folder.path, recorder(first), new MemoryMarket(rows), 10, 15);
    const positions = before.positions();
    await before.close();
    const orders = readOrders(platform.openSqlite, journalPath(folder.path, "tester")).length;
    const second: string[] = [];
    const after = await run(folder.path, recorder(second), new MemoryMarket(rows), 15, 15);
    expect(second).toEqual(first);
    expect(after.positions()).toEqual(positions);
    expect(after.orders().length).toBe(orders);
    await after.close();
  });

  test("begins where it was first started, even when it was killed before its first candle", async () => {
    using folder = tempFolder();
    await (await run(folder.path, recorder([]), new MemoryMarket(rows), 10, 10)).close();
    const core = await run(folder.path, recorder([]), new MemoryMarket(rows), 20);
    expect(core.cursor().symbols.get("BTCUSDT")?.delivered).toBe(10);
    await core.close();
  });

  test("ignores in its warm-up what was imported after its first candle", async () => {
    using folder = tempFolder();
    const sparse = rows.filter((row) => row.openTime !== START + 8 * MINUTE_MS);
    const first: string[] = [];
    await (await run(folder.path, recorder(first), new MemoryMarket(sparse, 30), 10, 14)).close();
    const late: StoredCandle = { ...candle("BTCUSDT", 8), provenance: "imported", commitSeq: 21 };
    const second: string[] = [];
    await (await run(folder.path, recorder(second), new MemoryMarket([...sparse, late], 30), 10, 14)).close();
    expect(first).toContain("gap 8 to 8");
    expect(second).toEqual(first);
  });

  test("tells its strategy of minutes it is not given, partial ones too", async () => {
    using folder = tempFolder();
    const seen: string[] = [];
    const holed = rows
      .filter((row) => row.commitSeq !== 13)
      .map((row) => (row.commitSeq === 12 ? { ...row, provenance: "partial" as const } : row));
    const core = await run(folder.path, recorder(seen), new MemoryMarket(holed, 20), 10);
    expect(seen.slice(3, 6)).toEqual(["10 holds 0 at 11", "gap 11 to 12", "13 holds 1 at 14"]);
    expect(core.counters()["gaps.total"]).toBe(1);
    await core.close();
  });

  test("waits for the store to publish what it folds, and a close ends the waiting", async () => {
    using folder = tempFolder();
    await (await run(folder.path, recorder([]), new MemoryMarket(rows), 10, 15)).close();
    const market = new MemoryMarket(rows, 12);
    const host = hostOf(recorder([]));
    const core = runnerOf({ journal: journalIn(folder.path, bindingOf(host)), maker: host, market });
    const started = core.start(0);
    expect(core.status().state).toBe("starting");
    market.throughSeq = 15;
    expect((await started).symbols.get("BTCUSDT")?.delivered).toBe(5);
    await core.close();

    const stuck = runnerOf({
      journal: journalIn(folder.path, bindingOf(host)),
      maker: hostOf(recorder([])),
      market: new MemoryMarket(rows, 12),
    });
    const waiting = stuck.start(0);
    await stuck.close();
    await expect(waiting).rejects.toThrow("Stopped while waiting for the history of BTCUSDT");
  });

  test("refuses to continue on a store whose candles differ from those it decided on", async () => {
    using folder = tempFolder();
    await (await run(folder.path, recorder([]), new MemoryMarket(rows), 10, 15)).close();
    const other = rows.map((row) => (row.commitSeq === 12 ? { ...row, close: 100.5 } : row));
    const host = hostOf(recorder([]));
    const core = runnerOf({
      journal: journalIn(folder.path, bindingOf(host)),
      maker: host,
      market: new MemoryMarket(other),
    });
    await expect(core.start(0)).rejects.toThrow("are not those this runner decided on");
    expect(core.status().state).toBe("halted");
    await core.close();
  });

  test("Invariant 5 (decide once, intent before order): a candle once decided is never decided again, and the runner halts", async () => {
    using folder = tempFolder();
    const seen: string[] = [];
    const market = new MemoryMarket(rows);
    const core = await run(folder.path, recorder(seen), market, 10, 12);
    const shown = seen.length;
    const again = deliveryAfter(rows, { ...core.cursor(), throughSeq: 10, symbols: new Map() })[0];
    if (!again) throw new Error("no candle");
    await expect(core.handle(again.event, again.cursor)).rejects.toThrow("was not decided before");
    expect(seen.length).toBe(shown);
    expect(core.status().state).toBe("halted");
    await core.close();
  });

  test("halts where the delivery's digest is not its own", async () => {
    using folder = tempFolder();
    const core = await run(folder.path, recorder([]), new MemoryMarket(rows), 10, 12);
    const [next] = deliveryAfter(rows, core.cursor());
    if (!next) throw new Error("no candle");
    const symbols = new Map([["BTCUSDT", { lastOpenTime: 0, digest: "ff", delivered: 1 }]]);
    await expect(core.handle(next.event, { ...next.cursor, symbols })).rejects.toThrow("the delivery's digest");
    await core.close();
  });
});

describe("A strategy that fails", () => {
  const failures: readonly (readonly [string, unknown, string])[] = [
    [
      "throws",
      () => {
        throw new Error("out of luck");
      },
      "out of luck",
    ],
    ["returns a number", () => 7, "neither a list of decisions nor undefined"],
    ["returns a quantity of zero", () => [{ side: "buy", quantity: "0" }], "decimal above zero"],
    ["returns a quantity as a number", () => [{ side: "buy", quantity: 1 }], "not a decimal string"],
    ["returns an unknown side", () => [{ side: "hold", quantity: "1" }], "neither"],
    [
      "returns more decisions than it may",
      () => Array.from({ length: 9 }, () => ({ side: "buy", quantity: "1" })),
      "9 decisions",
    ],
  ];
  for (const [what, act, reason] of failures) {
    test(`that ${what}: no further orders, the candles go on, and a restart comes to the same`, async () => {
      using folder = tempFolder();
      const failing: Strategy = {
        ...recorder([]),
        onCandle: ({ candle: { openTime } }) => {
          const minute = (openTime - START) / MINUTE_MS;
          if (minute === 13) return (act as () => never)();
          return [{ side: "buy", quantity: "1" }];
        },
      };
      const core = await run(folder.path, failing, new MemoryMarket(rows), 10, 18);
      expect(core.status().state).toBe("failed");
      expect(core.status().reason).toContain(reason);
      expect(core.status().reason).toContain("recorder failed on BTCUSDT");
      expect(core.cursor().symbols.get("BTCUSDT")?.delivered).toBe(8);
      await core.close();
      const again = await run(folder.path, failing, new MemoryMarket(rows), 10);
      expect(again.status().state).toBe("failed");
      expect(again.orders().map((order) => (order.openTime - START) / MINUTE_MS)).toEqual([12, 11, 10]);
      await again.close();
    });
  }
});

describe("A runner process", () => {
  test("Invariant 10 (any node can die at any time): killed with -9 again and again, its journal ends as if it had not been", async () => {
    using folder = tempFolder();
    const script = new URL("./fixtures/runner-process.ts", import.meta.url).pathname;
    const start = (data: string, pauseMs: number) =>
      Bun.spawn([process.execPath, script, data, String(pauseMs)], { stdout: "pipe", stderr: "pipe" });
    const calm = start(folder.join("calm"), 0);
    const rough = folder.join("rough");
    for (const progress of [10, 40, 41, 90]) {
      const child = start(rough, 2);
      await eventually(() => deliveredIn(rough) >= progress, 20_000);
      child.kill("SIGKILL");
      await child.exited;
    }
    const last = start(rough, 0);
    expect([await calm.exited, await last.exited]).toEqual([0, 0]);
    expect(journalContents(journalPath(rough, "tester"))).toEqual(
      journalContents(journalPath(folder.join("calm"), "tester")),
    );
    expect(readOrders(platform.openSqlite, journalPath(rough, "tester")).length).toBeGreaterThan(5);
  }, 120_000);
});

function deliveredIn(folder: string): number {
  try {
    const contents = journalContents(journalPath(folder, "tester")) as { cursors: { delivered: number }[] };
    return contents.cursors.reduce((sum, cursor) => sum + cursor.delivered, 0);
  } catch {
    return -1;
  }
}
