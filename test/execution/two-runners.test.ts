import { expect, test } from "bun:test";
import { platform } from "#platform";
import type { Broker } from "../../src/execution/broker.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { liveSession, minuteAt, startedSession, trader } from "./support/live-session.ts";
import { journalIn } from "./support/runner.ts";
import { Venue } from "./support/venue.ts";

/** The same venue for a second runner, which gets the account's answer once it is let through. */
function second(venue: Venue, asked: () => void, gate: Promise<void>): Broker {
  return {
    mode: venue.mode,
    catchesUp: venue.catchesUp,
    validityWindowMs: venue.validityWindowMs,
    submit: (order) => venue.submit(order),
    lookup: (order) => venue.lookup(order),
    account: async (symbols, sinceMs) => {
      const told = await venue.account(symbols, sinceMs);
      asked();
      await gate;
      return told ?? { type: "unknown", reason: "none" };
    },
    follow: () => {},
    close: () => Promise.resolve(),
    fillsAt: () => [],
  };
}

test("Invariant 5 (decide once, intent before order): of two runners that have one journal, after a lost lock, one sends, once", async () => {
  using folder = tempFolder();
  const venue = new Venue();
  venue.accountSays = "known";
  venue.mishaps = ["busy"];
  const exchange = { nowMs: null as number | null };
  const parts = { folder: folder.path, strategy: trader([1]), exchange, symbols: ["BTCUSDT"] };
  const first = await startedSession({ ...parts, broker: venue });
  await first.upTo(1);
  const [gate, asked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const other = liveSession({ ...parts, broker: second(venue, asked.resolve, gate.promise) });
  const faulted = first.core.faulted.catch((error: unknown) => error);
  const starting = other.core.start(0, minuteAt(0)).catch((error: unknown) => error);
  await asked.promise;
  // The other has read the order as waiting. The pause of the first is over: it would send it.
  await first.time.by(3200);
  expect(venue.orders.length).toBe(0);
  expect(await faulted).toMatchObject({ code: "refused" });
  gate.resolve();
  await other.time.until(starting);
  await other.time.by(5000);
  expect([venue.orders.length, other.core.status().state]).toEqual([1, "running"]);
  await first.core.close();
  await other.core.close();
});

test("Invariant 5 (decide once, intent before order): an order that does not stand where it is held to stand halts the journal", async () => {
  using folder = tempFolder();
  const venue = new Venue();
  venue.mishaps = ["busy"];
  const exchange = { nowMs: null as number | null };
  const { core, upTo, time } = await startedSession({
    folder: folder.path,
    broker: venue,
    strategy: trader([1]),
    exchange,
  });
  await upTo(1);
  // Somebody's hand, past every lock.
  const database = platform.openSqlite(`${folder.path}/journal/tester.sqlite`, { readOnly: false });
  database.exec("UPDATE intent SET status = 'filled'");
  database.close();
  const faulted = core.faulted.catch((error: unknown) => error);
  await time.by(3200);
  expect(await faulted).toMatchObject({ code: "io" });
  expect([core.status().state, venue.orders.length]).toEqual(["halted", 0]);
  await core.close();
});

test("A journal whose claim cannot be written is as halted as one that fails at its first order", () => {
  using folder = tempFolder();
  journalIn(folder.path).close();
  const journal = journalIn(folder.path, {}, (path, options) => {
    const database = platform.openSqlite(path, options);
    const exec = (sql: string) => {
      if (sql.startsWith("BEGIN")) throw new Error("disk full");
      database.exec(sql);
    };
    return { exec, prepare: (sql) => database.prepare(sql), close: () => database.close() };
  });
  expect(journal.halted).toMatchObject({ code: "io" });
  expect(() => journal.begin(1)).toThrow(/disk full/);
  journal.close();
});
