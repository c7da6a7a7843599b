import { describe, expect, test } from "bun:test";
import { platform } from "#platform";
import { journalPath, openJournal } from "../../src/execution/journal.ts";
import { readAllOrders } from "../../src/execution/orders.ts";
import { BUILTIN_STRATEGIES } from "../../src/strategy/builtins.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { Life } from "./support/crash.ts";
import { deliveryAfter, MemoryMarket, randomRows } from "./support/market.ts";
import { BINDING, bindingOf, hostOf, journalContents, journalIn, runnerOf } from "./support/runner.ts";
import { journalVersionOf, makeVersion1, version1Contents } from "./support/version-1.ts";

const market = new MemoryMarket(randomRows(11, ["BTCUSDT", "ETHUSDT"], 60));
const strategy = BUILTIN_STRATEGIES.get("sma-cross");

/** Runs the market through row `end`, in one life. */
async function run(folder: string, end: number): Promise<void> {
  if (!strategy) throw new Error("no sma-cross");
  const host = hostOf(strategy, "fast=2,slow=4");
  const core = runnerOf({ journal: journalIn(folder, bindingOf(host)), maker: host, market });
  for (const { event, cursor } of deliveryAfter(market.rows.slice(0, end), await core.start(20)))
    await core.handle(event, cursor);
  await core.close();
}

describe("A journal of version 1", () => {
  test("is carried over in place when its runner opens it: every row stays, and the runner goes on as if nothing had been", async () => {
    using calm = tempFolder();
    using half = tempFolder();
    using old = tempFolder();
    await run(calm.path, market.rows.length);
    await run(half.path, 70);
    makeVersion1(old.path, half.path);
    const before = version1Contents(old.path);
    expect((before.fill as unknown[]).length).toBeGreaterThan(3);
    await run(old.path, 70);
    expect(journalVersionOf(old.path)).toBe(2);
    expect(version1Contents(old.path)).toEqual(before);
    await run(old.path, market.rows.length);
    const whole = (folder: string) => {
      const { days: _, ...rest } = journalContents(journalPath(folder, "tester")) as { days: unknown };
      return rest;
    };
    expect(whole(old.path)).toEqual(whole(calm.path));
  });

  test("tells of refused and expired decisions why they never went out", async () => {
    using source = tempFolder();
    using old = tempFolder();
    await run(source.path, 70);
    makeVersion1(old.path, source.path);
    const database = platform.openSqlite(journalPath(old.path, "tester"), { readOnly: false });
    const insert = database.prepare("INSERT INTO intent VALUES (?, 'BTCUSDT', ?, 0, 'buy', '1', ?, ?, 60000, ?, '{}')");
    insert.run("refused", 0, "rejected", "refused: 8 orders of BTCUSDT are in flight already", null);
    insert.run("late", 1, "expired", "its candle closed over 120000 ms ago", null);
    insert.run("venue", 2, "rejected", "insufficient balance", 60_001);
    insert.run("done", 3, "filled", "crossed", 60_001);
    database.close();
    await run(old.path, 70);
    const after = platform.openSqlite(journalPath(old.path, "tester"), { readOnly: true });
    const rows = after
      .prepare("SELECT client_order_id AS id, refusal, wish FROM intent WHERE decided_at = 60000")
      .all();
    after.close();
    expect(rows.map(({ id, refusal, wish }) => [id, refusal, wish])).toEqual([
      ["refused", "in-flight", null],
      ["late", "age", null],
      ["venue", null, null],
      ["done", null, "crossed"],
    ]);
  });

  test("is read as it stands by fabric orders, which changes nothing", async () => {
    using source = tempFolder();
    using old = tempFolder();
    await run(source.path, 70);
    makeVersion1(old.path, source.path);
    expect(readAllOrders(platform, old.path)).toEqual(readAllOrders(platform, source.path));
    expect(journalVersionOf(old.path)).toBe(1);
  });

  test("of another store stays as it is", async () => {
    using source = tempFolder();
    using old = tempFolder();
    await run(source.path, 70);
    makeVersion1(old.path, source.path);
    expect(() => openJournal(platform, old.path, { ...BINDING, storeId: "another" })).toThrow(
      "Cannot continue journal",
    );
    expect(journalVersionOf(old.path)).toBe(1);
  });

  test("loses nothing where the carrying over dies at any step: it is done anew", async () => {
    using source = tempFolder();
    await run(source.path, 70);
    let died = 0;
    for (let steps = 1, done = false; !done; steps++) {
      using old = tempFolder();
      makeVersion1(old.path, source.path);
      const before = version1Contents(old.path);
      const life = new Life(steps);
      try {
        if (!strategy) throw new Error("no sma-cross");
        journalIn(old.path, bindingOf(hostOf(strategy, "fast=2,slow=4")), life.openSqlite(platform.openSqlite)).close();
        done = true;
      } catch (error) {
        if (!life.dead) throw error;
        died++;
      } finally {
        life.end();
      }
      expect([1, 2]).toContain(journalVersionOf(old.path));
      await run(old.path, 70);
      expect(version1Contents(old.path)).toEqual(before);
      expect(journalVersionOf(old.path)).toBe(2);
    }
    expect(died).toBeGreaterThan(5);
  });
});
