import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { platform } from "#platform";
import type { OpenSqlite } from "../../src/core/env.ts";
import { FabricError } from "../../src/core/errors.ts";
import { nodeName } from "../../src/core/symbol.ts";
import { journalPath, openJournal } from "../../src/execution/journal.ts";
import { JournalHalted } from "../../src/execution/journal-halted.ts";
import type { JournalBinding } from "../../src/execution/journal-schema.ts";
import { readAllOrders, readOrders } from "../../src/execution/orders.ts";
import { defineStrategy } from "../../src/strategy/contract.ts";
import { v } from "../../src/strategy/public.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { candle, deliveryAfter, MemoryMarket } from "./support/market.ts";
import { BINDING, bindingOf, hostOf, journalIn, runnerOf } from "./support/runner.ts";

const buyer = defineStrategy({
  name: "buyer",
  version: "1",
  params: v.object({}),
  warmup: () => 0,
  init: () => ({}),
  onCandle: () => [{ side: "buy", quantity: "1.50", reason: "always" }],
});

describe("A journal", () => {
  const others: readonly (readonly [string, Partial<JournalBinding>, string])[] = [
    ["store", { storeId: "other" }, "--data"],
    ["mode", { mode: "live" }, "--name"],
    ["strategy", { strategy: "other" }, "--name"],
    ["strategy version", { version: "2" }, "--name"],
    ["parameters", { params: '{"fast":3}' }, "--name"],
    ["symbols", { symbols: ["BTCUSDT"] }, "--name"],
    ["timeframe", { timeframe: "5m" }, "--name"],
  ];
  for (const [what, binding, remedy] of others) {
    test(`refuses another ${what}, and names the remedy`, () => {
      using folder = tempFolder();
      journalIn(folder.path).close();
      const error = caught(() => journalIn(folder.path, binding));
      expect(error.code).toBe("refused");
      expect(error.message).toContain(remedy);
      expect(error.message).toContain("Cannot continue journal");
    });
  }

  test("takes the same symbols in another order", () => {
    using folder = tempFolder();
    journalIn(folder.path, { symbols: ["A", "B"] }).close();
    journalIn(folder.path, { symbols: ["B", "A"] }).close();
  });

  test("of another schema version is a configuration error, for writing and for reading", () => {
    using folder = tempFolder();
    journalIn(folder.path).close();
    const path = journalPath(folder.path, "tester");
    const database = platform.openSqlite(path, { readOnly: false });
    database.exec("PRAGMA user_version = 99");
    database.close();
    expect(caught(() => journalIn(folder.path)).code).toBe("config");
    expect(caught(() => readOrders(platform.openSqlite, path)).message).toContain("schema version is 99");
  });

  test("that is another kind of file is a configuration error and stays as it is", () => {
    using folder = tempFolder();
    journalIn(folder.path, { runner: nodeName("elsewhere") }).close();
    const path = journalPath(folder.path, "tester");
    writeFileSync(path, "this is a text file, not a database, and long enough to be sure".repeat(20));
    const error = caught(() => journalIn(folder.path));
    expect(error.code).toBe("config");
    expect(error.message).toContain("is not a runner's journal");
    expect(platform.files.readText(path)).toStartWith("this is a text file");
  });

  test("in a folder that cannot be made is an io error", () => {
    using folder = tempFolder();
    writeFileSync(folder.join("file"), "x");
    const error = caught(() =>
      openJournal({ openSqlite: platform.openSqlite, files: platform.files }, folder.join("file"), BINDING),
    );
    expect(error.code).toBe("io");
  });

  test("Invariant 5 (decide once, intent before order): that a second process opens belongs to it; the first halts for good before anything more", () => {
    using folder = tempFolder();
    const first = journalIn(folder.path);
    first.begin(7);
    const second = journalIn(folder.path);
    // What it reads now is the last word: the first can write nothing more.
    expect(second.startSeq()).toBe(7);
    const lost = caught(() => first.begin(10));
    expect(lost.message).toMatch(/Cannot write the start to journal .*another process has opened it to write since/);
    // Trouble that passes is tried again, and the two would take it from one another for ever.
    expect(lost.code).toBe("refused");
    expect(first.halted).toBeInstanceOf(JournalHalted);
    expect(caught(() => first.begin(11))).toBe(first.halted as JournalHalted);
    second.begin(12);
    first.close();
    second.close();
    const next = journalIn(folder.path);
    next.begin(13);
    expect(next.startSeq()).toBe(13);
    next.close();
  });

  test("waits for the disk with every write: WAL and synchronous FULL", () => {
    using folder = tempFolder();
    const pragmas: unknown[] = [];
    const open: OpenSqlite = (path, options) => {
      const database = platform.openSqlite(path, options);
      const close = () => {
        pragmas.push(database.prepare("PRAGMA journal_mode").get()?.journal_mode);
        pragmas.push(database.prepare("PRAGMA synchronous").get()?.synchronous);
        database.close();
      };
      return { exec: database.exec, prepare: database.prepare, close };
    };
    journalIn(folder.path, {}, open).close();
    expect(pragmas).toEqual(["wal", 2]);
  });
});

describe("Orders", () => {
  test("are read by another process while their runner holds the journal, with the price they filled at", async () => {
    using folder = tempFolder();
    const host = hostOf(buyer);
    const rows = [0, 1, 2].map((minute) => candle("BTCUSDT", minute));
    const core = runnerOf({
      journal: journalIn(folder.path, bindingOf(host)),
      maker: host,
      market: new MemoryMarket(rows),
    });
    for (const { event, cursor } of deliveryAfter(rows, await core.start(0))) await core.handle(event, cursor);
    const reader = new URL("./fixtures/read-orders.ts", import.meta.url).pathname;
    const child = Bun.spawnSync([process.execPath, reader, folder.path]);
    const seen = JSON.parse(child.stdout.toString()) as Record<string, unknown>[];
    expect(
      seen.map((order) => [order.symbol, order.openTime, order.side, order.quantity, order.price, order.status]),
    ).toEqual([
      ["BTCUSDT", rows[0]?.openTime, "buy", "1.5", "100.01", "filled"],
      ["BTCUSDT", rows[1]?.openTime, "buy", "1.5", "100.01", "filled"],
      ["BTCUSDT", rows[2]?.openTime, "buy", "1.5", null, "open"],
    ]);
    expect(seen.every((order) => order.runner === "tester" && String(order.clientOrderId).length === 32)).toBe(true);
    expect(core.orders()[0]?.clientOrderId).toBe(String(seen[2]?.clientOrderId));
    await core.close();
    expect(readAllOrders(platform, folder.path).length).toBe(3);
  });

  test("are none where there is no journal, or one that was never set up", () => {
    using folder = tempFolder();
    expect(readAllOrders(platform, folder.path)).toEqual([]);
    platform.files.makeFolder(folder.join("journal"));
    writeFileSync(journalPath(folder.path, "tester"), "");
    expect(readAllOrders(platform, folder.path)).toEqual([]);
  });
});

describe("Invariant 5 (decide once, intent before order): a journal that cannot be written", () => {
  test("halts the runner without advancing, sends nothing, and a restart with room goes on from there", async () => {
    using folder = tempFolder();
    const rows = Array.from({ length: 400 }, (_, minute) => candle("BTCUSDT", minute));
    const market = new MemoryMarket(rows);
    const host = hostOf(buyer);
    const journal = journalIn(folder.path, bindingOf(host), withPages(30));
    const core = runnerOf({ journal, maker: host, market });
    const delivered = deliveryAfter(rows, await core.start(0));
    let taken = 0;
    const error = await (async () => {
      for (const { event, cursor } of delivered) {
        await core.handle(event, cursor);
        taken++;
      }
      return null;
    })().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(JournalHalted);
    expect(String(error)).toContain("full");
    expect(core.status().state).toBe("halted");
    const cursor = core.cursor().symbols.get("BTCUSDT");
    const path = journalPath(folder.path, "tester");
    expect(cursor?.delivered).toBeGreaterThan(10);
    expect(readOrders(platform.openSqlite, path).length).toBe(cursor?.delivered ?? -1);
    expect(taken).toBeLessThanOrEqual(cursor?.delivered ?? -1);
    const next = delivered[taken];
    if (next) await expect(core.handle(next.event, next.cursor)).rejects.toThrow("halted");
    await core.close();

    const again = hostOf(buyer);
    const second = runnerOf({ journal: journalIn(folder.path, bindingOf(again)), maker: again, market });
    const from = await second.start(999);
    expect(from.symbols.get("BTCUSDT")?.delivered).toBe(cursor?.delivered ?? -1);
    for (const { event, cursor: after } of deliveryAfter(rows, from)) await second.handle(event, after);
    await second.close();
    const orders = readOrders(platform.openSqlite, path);
    expect(new Set(orders.map((order) => order.openTime)).size).toBe(400);
    expect(orders.length).toBe(400);
  }, 30_000);
});

/** A real database that is full at so many pages: SQLite's own answer to a full disk. */
function withPages(pages: number): OpenSqlite {
  return (path, options) => {
    const database = platform.openSqlite(path, options);
    database.exec(`PRAGMA max_page_count = ${pages}`);
    return database;
  };
}

function caught(run: () => unknown): FabricError {
  try {
    run();
  } catch (error) {
    if (error instanceof FabricError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
