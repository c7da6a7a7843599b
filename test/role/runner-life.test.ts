import { describe, expect, test } from "bun:test";
import { platform } from "#platform";
import type { OpenSqlite } from "../../src/core/env.ts";
import { writeHalt } from "../../src/execution/halt-switch.ts";
import { journalPath } from "../../src/execution/journal.ts";
import { trader } from "../execution/support/live-session.ts";
import { candle, START } from "../execution/support/market.ts";
import { journalContents } from "../execution/support/runner.ts";
import { Venue } from "../execution/support/venue.ts";
import { VirtualTime } from "../execution/support/virtual-time.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type LifeUnderTest, lifeOf, MemoryReader } from "./support-runner.ts";

const MINUTES = 60;
/** A fresh journal takes fewer; some dozen orders do not fit any more. */
const PAGES = 27;
const rows = Array.from({ length: MINUTES }, (_, minute) => candle("BTCUSDT", minute));
const everyThird = trader(
  Array.from({ length: MINUTES / 3 }, (_, at) => at * 3),
  4,
);

/** Publishes a row a minute from the first on, and lets the time run until the last. */
async function playOut(reader: MemoryReader, time: VirtualTime, through = MINUTES): Promise<void> {
  while (reader.throughSeq < through) {
    await time.by(60_000);
    reader.throughSeq++;
  }
  await time.by(5000);
}

function begin(parts: Partial<Parameters<typeof lifeOf>[0]> & { readonly folder: string }) {
  const time = new VirtualTime(START + 60_000);
  const reader = new MemoryReader(rows, 1);
  const under = lifeOf({ strategy: everyThird, reader, time, ...parts });
  const ended = under.life.run();
  return { ...under, time, reader, ended };
}

async function stopped({ stop }: LifeUnderTest, time: VirtualTime, ended: Promise<void>): Promise<void> {
  stop.abort();
  await time.until(ended);
}

const contents = (folder: string) => journalContents(journalPath(folder, "tester"));

/** A real database that is full at so many pages, while `isFull` says so; each life opens it anew. */
function fillingUp(isFull: () => boolean, pages: number): OpenSqlite {
  return (path, options) => {
    const database = platform.openSqlite(path, options);
    if (isFull()) database.exec(`PRAGMA max_page_count = ${pages}`);
    return database;
  };
}

describe("A runner halted by trouble that passes", () => {
  test("Invariant 10 (any node can stop and carry on by itself): comes back once the disk has room, says so once, and ends with the journal of an undisturbed one", async () => {
    using calm = tempFolder();
    using rough = tempFolder();
    const undisturbed = begin({ folder: calm.path });
    await playOut(undisturbed.reader, undisturbed.time);
    await stopped(undisturbed, undisturbed.time, undisturbed.ended);

    let full = true;
    const under = begin({ folder: rough.path, openSqlite: fillingUp(() => full, PAGES) });
    await playOut(under.reader, under.time, 40);
    expect(under.life.status()).toMatchObject({ state: "halted", reason: expect.stringContaining("full") });
    const lives = under.life.counters()["lives.total"] ?? 0;
    expect(lives).toBeGreaterThan(3);
    // With room or not, it never waits longer than half a minute.
    expect(lives).toBeLessThan(200);
    full = false;
    for (let seconds = 0; seconds < 31; seconds++) await under.time.by(1000);
    expect(under.life.status()).toEqual({ state: "running", reason: null });
    await playOut(under.reader, under.time);
    await stopped(under, under.time, under.ended);
    expect(contents(rough.path)).toEqual(contents(calm.path));
    expect(under.said.filter((line) => line.startsWith("error"))).toEqual([
      expect.stringMatching(/^error Halted: Cannot write .* full.*; trying again by itself, from what is durable$/),
    ]);
    expect(under.said.filter((line) => line.startsWith("info Going on after"))).toHaveLength(1);
  }, 30_000);

  test("tries again where the journal cannot even be opened, later, and where the first start cannot it ends", async () => {
    using folder = tempFolder();
    let broken = false;
    const openSqlite: OpenSqlite = (path, options) => {
      if (broken) throw Object.assign(new Error("disk I/O error"), { code: "ERR_SQLITE_ERROR" });
      const database = platform.openSqlite(path, options);
      const exec = (sql: string) => {
        if (broken && sql === "COMMIT") throw new Error("disk I/O error");
        database.exec(sql);
      };
      return { exec, prepare: database.prepare, close: database.close };
    };
    const under = begin({ folder: folder.path, openSqlite });
    await playOut(under.reader, under.time, 5);
    broken = true;
    await playOut(under.reader, under.time, 10);
    expect(under.life.status()).toMatchObject({ state: "halted", reason: expect.stringContaining("disk I/O error") });
    broken = false;
    await playOut(under.reader, under.time, 12);
    expect(under.life.status().state).toBe("running");
    await stopped(under, under.time, under.ended);

    broken = true;
    using other = tempFolder();
    const first = begin({ folder: other.path, openSqlite });
    await expect(first.time.until(first.ended)).rejects.toThrow("disk I/O error");
  });

  test("ends within its pause where it is stopped meanwhile", async () => {
    using folder = tempFolder();
    const under = begin({ folder: folder.path, openSqlite: fillingUp(() => true, PAGES) });
    await playOut(under.reader, under.time, 40);
    expect(under.life.status().state).toBe("halted");
    const beforeMs = under.time.nowMs;
    await stopped(under, under.time, under.ended);
    expect(under.time.nowMs - beforeMs).toBeLessThan(2000);
  });
});

describe("A runner halted by what does not pass", () => {
  test("stays up, halted, where the venue tells what cannot be, at once and until it is stopped", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.accountSays = "known";
    const under = begin({ folder: folder.path, strategy: trader([3]), broker: () => venue, symbols: ["BTCUSDT"] });
    await playOut(under.reader, under.time, 5);
    const [order] = under.life.orders();
    if (!order) throw new Error("no order");
    const fill = { fillId: "x", clientOrderId: order.clientOrderId, price: "1", quantity: "9", fee: "0" };
    venue.push({ clientOrderId: order.clientOrderId, status: "open", reason: null, fills: [fill] });
    await under.time.by(0);
    expect(under.life.status()).toMatchObject({
      state: "halted",
      reason: expect.stringContaining("fills of 10 in all"),
    });
    let ended = false;
    void under.ended.then(() => {
      ended = true;
    });
    await playOut(under.reader, under.time, 20);
    expect([ended, under.life.counters()["lives.total"], venue.submits]).toEqual([false, 1, 1]);
    expect(under.said.filter((line) => line.startsWith("error Halted"))).toHaveLength(1);
    await stopped(under, under.time, under.ended);
  });

  test("stays up, halted, where journal and venue disagree, and --accept-broker lets a restart go on", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.accountSays = "known";
    const parts = { folder: folder.path, strategy: trader([3, 30]), broker: () => venue, symbols: ["BTCUSDT"] };
    const first = begin(parts);
    await playOut(first.reader, first.time, 6);
    await stopped(first, first.time, first.ended);
    venue.moved.set("BTCUSDT", -0.5);

    const second = begin({ ...parts, time: first.time, reader: first.reader });
    await first.time.by(30_000);
    expect(second.life.status()).toMatchObject({ state: "halted", reason: expect.stringContaining("--accept-broker") });
    await stopped(second, first.time, second.ended);

    const third = begin({ ...parts, time: first.time, reader: first.reader, execution: { acceptBroker: true } });
    await playOut(first.reader, first.time, 32);
    expect([third.life.status().state, third.life.positions()[0]?.quantity]).toEqual(["running", "1.5"]);
    await stopped(third, first.time, third.ended);
  });

  test("ends where its journal belongs to another strategy", async () => {
    using folder = tempFolder();
    const first = begin({ folder: folder.path });
    await playOut(first.reader, first.time, 5);
    await stopped(first, first.time, first.ended);
    const other = { ...everyThird, name: "another" };
    const second = begin({ folder: folder.path, strategy: other });
    await expect(second.time.until(second.ended)).rejects.toThrow("its strategy is buyer, and this run's is another");
  });
});

test("A runner under the kill switch shows halted with its reason, and running once that is gone, without a new life", async () => {
  using folder = tempFolder();
  const under = begin({ folder: folder.path });
  await playOut(under.reader, under.time, 5);
  writeHalt(platform.files, folder.path, "tester", { reason: "lunch", at: 0 });
  expect(under.life.status()).toEqual({ state: "halted", reason: "halted: lunch; orders that are open stay open" });
  await playOut(under.reader, under.time, 10);
  platform.files.remove(folder.join("halt", "tester.json"));
  expect([under.life.status().state, under.life.counters()["lives.total"]]).toEqual(["running", 1]);
  expect(under.life.counters()["candles.total"]).toBe(9);
  await stopped(under, under.time, under.ended);
});
