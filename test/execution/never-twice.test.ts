import { expect, test } from "bun:test";
import fc from "fast-check";
import { platform } from "#platform";
import { decimal } from "../../src/execution/decimal.ts";
import { journalPath } from "../../src/execution/journal.ts";
import { readOrders } from "../../src/execution/orders.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { Life } from "./support/crash.ts";
import { startedSession, trader } from "./support/live-session.ts";
import { type Mishap, type Pushing, Venue } from "./support/venue.ts";

const PER_MINUTE = 2;
/** Minutes that are decided on, and the last one that comes. */
interface Market {
  readonly minutes: readonly number[];
  readonly last: number;
}
const LONG: Market = { minutes: [1, 2, 5, 9, 10, 11, 20], last: 29 };
const SHORT: Market = { minutes: [1, 2, 4], last: 5 };
const MISHAPS: readonly Mishap[] = ["ok", "ok", "ack-lost", "lost", "in-transit", "reject", "busy", "parts"];
const PUSHINGS: readonly Pushing[] = ["none", "first", "twice", "reversed"];

interface Exchange {
  nowMs: number | null;
}

/** One life of a runner over the whole market and some minutes more: true where it ended by itself, false where it was killed. */
async function live(
  folder: string,
  venue: Venue,
  exchange: Exchange,
  steps: number,
  { minutes, last }: Market,
): Promise<boolean> {
  const life = new Life(steps);
  try {
    const { core, upTo, time } = await startedSession({
      folder,
      broker: venue,
      strategy: trader(minutes, PER_MINUTE),
      exchange,
      life,
      symbols: ["BTCUSDT"],
    });
    await upTo(last);
    for (let more = 0; more < 5 && core.trouble === null; more++) await time.by(60_000);
    if (core.trouble !== null) throw new Error(core.trouble);
    const traded = venue.trades.reduce((sum, { quantity }) => sum.plus(quantity), decimal("0"));
    expect(core.positions()[0]?.quantity ?? "0").toBe(traded.toFixed());
    await core.close();
    return true;
  } catch (error) {
    if (!life.dead) throw error;
    return false;
  } finally {
    exchange.nowMs = Math.max(exchange.nowMs ?? 0, venue.nowMs());
    life.end();
  }
}

/** What must hold at the end, told from the venue's side. */
function expectOnce(folder: string, venue: Venue, { minutes }: Market): void {
  const ids = venue.orders.map(({ clientOrderId }) => clientOrderId);
  expect(new Set(ids).size).toBe(ids.length);
  const orders = readOrders(platform.openSqlite, journalPath(folder, "tester"));
  expect(orders.length).toBe(minutes.length * PER_MINUTE);
  const filled = orders.filter(({ status }) => status === "filled").map(({ clientOrderId }) => clientOrderId);
  expect(filled.sort()).toEqual(ids.sort());
  const final = new Set(["filled", "rejected", "expired", "lost"]);
  expect(orders.filter(({ status }) => !final.has(status))).toEqual([]);
}

test("Invariant 5 (decide once, intent before order): whatever step a runner dies at, whatever gets lost and however fills are told, no decision reaches a venue twice, and positions are the sum of its trades", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.constantFrom(...MISHAPS), { maxLength: 16 }),
      fc.constantFrom(...PUSHINGS),
      fc.constantFrom("null" as const, "known" as const),
      async (lives, mishaps, pushing, account) => {
        using folder = tempFolder();
        const venue = new Venue();
        venue.mishaps = [...mishaps];
        venue.pushing = pushing;
        venue.accountSays = account;
        const exchange: Exchange = { nowMs: null };
        for (const steps of lives) await live(folder.path, venue, exchange, steps, LONG);
        expect(await live(folder.path, venue, exchange, Number.POSITIVE_INFINITY, LONG)).toBe(true);
        expectOnce(folder.path, venue, LONG);
      },
    ),
    { numRuns: 25 },
  );
}, 120_000);

for (const mishaps of [["ok"], ["ack-lost", "in-transit", "busy", "parts", "lost", "ack-lost"]] as const) {
  test(`Invariant 5 (decide once, intent before order): killed at each single step in turn, with ${mishaps.join(", ")} at the venue, no decision reaches it twice`, async () => {
    let killed = 0;
    for (let steps = 1, ended = false; !ended; steps++) {
      using folder = tempFolder();
      const venue = new Venue();
      venue.mishaps = [...mishaps];
      venue.pushing = "twice";
      venue.accountSays = "known";
      const exchange: Exchange = { nowMs: null };
      ended = await live(folder.path, venue, exchange, steps, SHORT);
      if (!ended) killed++;
      expect(await live(folder.path, venue, exchange, Number.POSITIVE_INFINITY, SHORT)).toBe(true);
      expectOnce(folder.path, venue, SHORT);
    }
    expect(killed).toBeGreaterThan(60);
  }, 120_000);
}

test("The venue of these tests shows a double order: it takes an id again", async () => {
  const venue = new Venue();
  const order = { clientOrderId: "f1", symbol: "BTCUSDT", side: "buy", quantity: "1" } as const;
  await venue.submit(order);
  await venue.submit(order);
  expect(venue.orders.length).toBe(2);
  expect(venue.trades.map(({ fillId }) => fillId)).toEqual(["v1", "v2"]);
});
