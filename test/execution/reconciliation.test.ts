import { describe, expect, test } from "bun:test";
import { platform } from "#platform";
import type { OrderStatus } from "../../src/core/decision.ts";
import { decimal } from "../../src/execution/decimal.ts";
import { journalPath } from "../../src/execution/journal.ts";
import type { FillRow, IntentRow } from "../../src/execution/journal-rows.ts";
import { TradingHalt } from "../../src/execution/order-news.ts";
import { readAllPositions } from "../../src/execution/positions.ts";
import { differencesOf, type JournalFacts, type KnownAccount } from "../../src/execution/reconciliation.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { liveSession, minuteAt, startedSession, statuses, trader } from "./support/live-session.ts";
import { Venue } from "./support/venue.ts";

const FILL = { fillId: "v1", symbol: "BTCUSDT", side: "buy", quantity: "1", price: "100" } as const;

function facts(more: Partial<JournalFacts> & { orders?: Readonly<Record<string, OrderStatus>> } = {}): JournalFacts {
  const { orders = {}, ...rest } = more;
  return {
    symbols: ["BTCUSDT"],
    baseline: new Map([["BTCUSDT", "5"]]),
    held: () => decimal("1"),
    intent: (id) => (orders[id] ? ({ clientOrderId: id, status: orders[id] } as IntentRow) : null),
    fills: [FILL as FillRow],
    isWaived: () => false,
    ...rest,
  };
}

function account(more: Partial<KnownAccount> = {}): KnownAccount {
  return {
    type: "known",
    openOrders: [],
    baseAssets: new Map([["BTCUSDT", "BTC"]]),
    holdings: new Map([["BTCUSDT", "6"]]),
    trades: [{ ...FILL, clientOrderId: "f1", fee: "0", timeMs: 0 }],
    ...more,
  };
}

const open = (clientOrderId: string) => ({ openOrders: [{ clientOrderId, symbol: "BTCUSDT" }] });

describe("Journal and venue", () => {
  const agreements: readonly (readonly [string, JournalFacts, KnownAccount])[] = [
    ["the same fills, and holdings of before and since", facts(), account()],
    ["an open order that the journal has as open", facts({ orders: { f2: "open" } }), account(open("f2"))],
    ["an open order that the journal has as unknown", facts({ orders: { f2: "unknown" } }), account(open("f2"))],
    ["an open order that the journal gave up as lost", facts({ orders: { f2: "lost" } }), account(open("f2"))],
    ["holdings in another way of writing", facts(), account({ holdings: new Map([["BTCUSDT", "6.000"]]) })],
    ["a symbol without a baseline yet", facts({ baseline: new Map() }), account({ holdings: new Map() })],
    [
      "an open order of somebody else that was accepted",
      facts({ isWaived: (kind) => kind === "order" }),
      account(open("x")),
    ],
    [
      "a fill the venue lacks that was accepted",
      facts({ isWaived: (kind) => kind === "fill" }),
      account({ trades: [] }),
    ],
  ];
  for (const [what, journal, venue] of agreements)
    test(`agree on ${what}`, () => expect(differencesOf(journal, venue)).toEqual([]));

  const differences: readonly (readonly [string, JournalFacts, KnownAccount, string])[] = [
    [
      "an open order that the journal does not know",
      facts(),
      account(open("x")),
      "BTCUSDT: order x is open at the venue, and the journal does not know it",
    ],
    [
      "an open order that the journal has as filled",
      facts({ orders: { f1: "filled" } }),
      account(open("f1")),
      "BTCUSDT: order f1 is open at the venue, and the journal has it as filled",
    ],
    [
      "an open order that was never sent",
      facts({ orders: { f2: "expired" } }),
      account(open("f2")),
      "BTCUSDT: order f2 is open at the venue, and the journal has it as expired",
    ],
    [
      "a journaled fill that the venue does not know",
      facts(),
      account({ trades: [] }),
      "BTCUSDT: the journal has fill v1 (buy 1 at 100), and the venue does not know it",
    ],
    [
      "holdings",
      facts(),
      account({ holdings: new Map([["BTCUSDT", "5.5"]]) }),
      "BTCUSDT: the journal expects 6 BTC (5 before the first order, 1 traded since), and the account holds 5.5",
    ],
    [
      "holdings that somebody else's trades explain",
      facts(),
      account({
        holdings: new Map([["BTCUSDT", "4"]]),
        trades: [
          { ...FILL, clientOrderId: "f1", fee: "0", timeMs: 0 },
          { ...FILL, fillId: "v2", side: "sell", quantity: "2", clientOrderId: "web-1", fee: "0", timeMs: minuteAt(0) },
        ],
      }),
      "and the account holds 4; 2 trades there are not this runner's, the newest sell 2 at 100, 2025-01-01T00:00:00Z",
    ],
    ["an asset that is gone", facts(), account({ holdings: new Map() }), "and the account holds 0"],
  ];
  for (const [what, journal, venue, text] of differences) {
    test(`differ on ${what}, told with both values`, () => {
      const found = differencesOf(journal, venue);
      expect(found.map((difference) => difference.text)).toEqual([expect.stringContaining(text)]);
    });
  }

  test("compare symbols of one base asset together", () => {
    const both = {
      symbols: ["BTCUSDT", "BTCUSDC"],
      held: (symbol: string) => decimal(symbol === "BTCUSDT" ? "1" : "2"),
    };
    const baseline = new Map([
      ["BTCUSDT", "5"],
      ["BTCUSDC", "5"],
    ]);
    const baseAssets = new Map([
      ["BTCUSDT", "BTC"],
      ["BTCUSDC", "BTC"],
    ]);
    const holding = (quantity: string) =>
      account({
        baseAssets,
        holdings: new Map([
          ["BTCUSDT", quantity],
          ["BTCUSDC", quantity],
        ]),
      });
    expect(differencesOf(facts({ ...both, baseline }), holding("8"))).toEqual([]);
    const [found, ...more] = differencesOf(facts({ ...both, baseline }), holding("7"));
    expect(found?.text).toContain("BTCUSDT, BTCUSDC: the journal expects 8 BTC");
    expect(more).toEqual([]);
  });
});

const SYMBOLS = ["BTCUSDT"];
const strategy = trader([1, 10]);

/** A live runner that has traded once and closed, and its venue. */
async function traded(folder: string): Promise<{ readonly venue: Venue; readonly exchange: { nowMs: number | null } }> {
  const venue = new Venue();
  venue.accountSays = "known";
  const exchange = { nowMs: null };
  const { core, upTo } = await startedSession({ folder, broker: venue, strategy, exchange, symbols: SYMBOLS });
  await upTo(3);
  await core.close();
  expect(venue.orders.length).toBe(1);
  return { venue, exchange };
}

describe("A live runner at its start", () => {
  test("keeps what the account held before its first order, and finds nothing to say after its own trades", async () => {
    using folder = tempFolder();
    const { venue, exchange } = await traded(folder.path);
    const { core, upTo } = await startedSession({
      folder: folder.path,
      broker: venue,
      strategy,
      exchange,
      symbols: SYMBOLS,
    });
    await upTo(12);
    expect([core.status().state, core.positions()[0]?.quantity]).toEqual(["running", "2"]);
    await core.close();
  });

  test("takes in what was filled while it was down, orders given up as lost among it", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.accountSays = "known";
    venue.mishaps = ["lost"];
    const exchange = { nowMs: null };
    const first = await startedSession({ folder: folder.path, broker: venue, strategy, exchange, symbols: SYMBOLS });
    await first.upTo(1);
    await first.time.by(120_000);
    const [lost] = first.core.orders();
    await first.core.close();
    expect(statuses(folder.path)).toEqual(["lost"]);
    if (!lost) throw new Error("no order");
    venue.fill(venue.take(lost, 1));
    const { core } = await startedSession({ folder: folder.path, broker: venue, strategy, exchange, symbols: SYMBOLS });
    expect([statuses(folder.path), core.positions()[0]?.quantity]).toEqual([["filled"], "1"]);
    expect([core.counters()["orders.late.total"], venue.submits]).toEqual([1, 1]);
    await core.close();
  });

  const disagreements: readonly (readonly [string, (venue: Venue) => void, RegExp])[] = [
    [
      "an order of somebody else is open",
      (venue) => void venue.foreignOpen.push({ clientOrderId: "web-1", symbol: "BTCUSDT" }),
      /order web-1 is open at the venue, and the journal does not know it/,
    ],
    [
      "coins went away",
      (venue) => void venue.moved.set("BTCUSDT", -0.25),
      /expects 6 BTC \(5 before the first order, 1 traded since\), and the account holds 5\.75/,
    ],
    [
      "a fill is not known there",
      (venue) => void venue.trades.pop(),
      /has fill v1 \(buy 1 at 100\), and the venue does not know it/,
    ],
  ];
  for (const [what, change, message] of disagreements) {
    test(`halts where ${what}, sends nothing, and names symbol, both values and the remedy; --accept-broker takes the venue's word`, async () => {
      using folder = tempFolder();
      const { venue, exchange } = await traded(folder.path);
      change(venue);
      const refused = liveSession({ folder: folder.path, broker: venue, strategy, exchange, symbols: SYMBOLS });
      const error = await refused.time.until(refused.core.start(0, minuteAt(0))).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TradingHalt);
      expect(String(error)).toMatch(message);
      expect(String(error)).toContain("--accept-broker");
      expect(refused.core.status()).toMatchObject({ state: "halted", reason: expect.stringContaining("BTCUSDT") });
      await refused.core.close();
      expect(venue.submits).toBe(1);

      const options = { acceptBroker: true };
      const parts = { folder: folder.path, broker: venue, strategy, exchange, symbols: SYMBOLS };
      const accepting = await startedSession({ ...parts, options });
      await accepting.upTo(12);
      expect([accepting.core.status().state, venue.submits]).toEqual(["running", 2]);
      await accepting.core.close();
      // What was accepted is not asked again.
      const after = await startedSession(parts);
      expect(after.core.status().state).toBe("running");
      await after.core.close();
    });
  }

  test("journals the venue's word as an adjustment: positions are fills and adjustments, also in the strategy's eyes after a restart", async () => {
    using folder = tempFolder();
    const { venue, exchange } = await traded(folder.path);
    venue.moved.set("BTCUSDT", -0.25);
    const parts = { folder: folder.path, broker: venue, strategy, exchange, symbols: SYMBOLS };
    const accepting = await startedSession({ ...parts, options: { acceptBroker: true } });
    expect(accepting.core.positions()).toMatchObject([{ quantity: "0.75", averagePrice: "100", realisedPnl: "-0.1" }]);
    await accepting.upTo(11);
    expect(accepting.core.positions()).toMatchObject([{ quantity: "1.75" }]);
    await accepting.core.close();
    const [position] = readAllPositions(platform, folder.path);
    expect([position?.book.position().quantity, position?.adjustments]).toEqual(["1.75", "-0.25"]);
    const database = platform.openSqlite(journalPath(folder.path, "tester"), { readOnly: true });
    const [row] = database.prepare("SELECT * FROM fill WHERE client_order_id IS NULL").all();
    database.close();
    expect(row).toMatchObject({ fill_id: "adjustment-1", side: "sell", quantity: "0.25", fee: "0" });
    expect(String(row?.reason)).toContain("and the account holds 5.75");
    const after = await startedSession(parts);
    expect(after.core.positions()).toMatchObject([{ quantity: "1.75" }]);
    await after.core.close();
  });

  test("looks again before it believes a difference: a trade shows in the account's parts at different moments", async () => {
    using folder = tempFolder();
    const { venue, exchange } = await traded(folder.path);
    venue.moved.set("BTCUSDT", 1);
    const session = liveSession({ folder: folder.path, broker: venue, strategy, exchange, symbols: SYMBOLS });
    session.time.timers.after(1500, () => venue.moved.clear());
    await session.time.until(session.core.start(0, minuteAt(0)));
    expect(session.core.status().state).toBe("running");
    await session.core.close();
  });

  test("never counts a fill twice: with --accept-broker, too, it waits for orders whose outcome is open before it adjusts anything", async () => {
    using folder = tempFolder();
    const { venue, exchange } = await traded(folder.path);
    venue.mishaps = ["ack-lost"];
    venue.lookupFails = true;
    const parts = { folder: folder.path, broker: venue, strategy, exchange, symbols: SYMBOLS };
    const first = await startedSession(parts);
    await first.upTo(10);
    await first.core.close();
    expect(statuses(folder.path)).toEqual(["unknown", "filled"]);
    // The account holds what was filled, its list of trades lags behind, and the order cannot be asked for yet.
    const late = venue.trades.pop();
    venue.moved.set("BTCUSDT", 1);
    const session = liveSession({ ...parts, options: { acceptBroker: true } });
    session.time.timers.after(20_000, () => {
      if (late) venue.trades.push(late);
      venue.moved.clear();
      venue.lookupFails = false;
    });
    await session.time.until(session.core.start(0, minuteAt(0)));
    expect(session.core.positions()).toMatchObject([{ quantity: "2" }]);
    await session.core.close();
    expect(readAllPositions(platform, folder.path)).toMatchObject([{ adjustments: "0" }]);
  });

  test("waits for an account that is not told, says so, trades nothing meanwhile, and goes on by itself", async () => {
    using folder = tempFolder();
    const { venue, exchange } = await traded(folder.path);
    venue.accountSays = "unknown";
    const warned: string[] = [];
    const log = { debug() {}, info() {}, error() {}, warn: (message: string) => void warned.push(message) };
    const session = liveSession({ folder: folder.path, broker: venue, strategy, exchange, symbols: SYMBOLS, log });
    const started = session.core.start(0, minuteAt(0));
    await session.time.by(60_000);
    expect(session.core.status()).toEqual({ state: "starting", reason: "waiting for the venue's account: 503" });
    expect(warned.filter((line) => line.includes("nothing is traded meanwhile"))).toHaveLength(1);
    venue.accountSays = "known";
    await session.time.until(started);
    expect(session.core.status()).toEqual({ state: "running", reason: null });
    await session.core.close();
  });

  test("stops waiting for an account when it is closed", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.accountSays = "unknown";
    const session = liveSession({ folder: folder.path, broker: venue, strategy, symbols: SYMBOLS });
    const started = session.core.start(0).catch((error: unknown) => String(error));
    await eventually(() => session.core.status().reason !== null);
    await session.core.close();
    expect(await started).toContain("Stopped while waiting");
    expect(session.time.waiting).toBe(0);
  });

  test("is refused on every symbol: what the account holds cannot be compared then", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.accountSays = "known";
    const session = liveSession({ folder: folder.path, broker: venue, strategy });
    await expect(session.core.start(0)).rejects.toThrow("expected --symbols");
    await session.core.close();
  });

  test("is refused where one symbol's base asset pays for another", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.accountSays = "known";
    const { account: real } = venue;
    venue.account = (symbols, sinceMs) =>
      (real.call(venue, symbols, sinceMs) as Promise<KnownAccount>).then((known) => ({
        ...known,
        baseAssets: new Map([
          ["BTCUSDT", "BTC"],
          ["ETHBTC", "ETH"],
        ]),
      }));
    const symbols = ["BTCUSDT", "ETHBTC"];
    const session = liveSession({ folder: folder.path, broker: venue, strategy, symbols });
    await expect(session.core.start(0)).rejects.toThrow("Cannot trade ETHBTC beside a symbol of BTC");
    await session.core.close();
  });

  test("halts on an account's trade that is to another side than its order", async () => {
    using folder = tempFolder();
    const { venue, exchange } = await traded(folder.path);
    const [trade] = venue.trades;
    if (trade) venue.trades[0] = { ...trade, side: "sell" };
    const session = liveSession({ folder: folder.path, broker: venue, strategy, exchange, symbols: SYMBOLS });
    const started = session.time.until(session.core.start(0, minuteAt(0)));
    await expect(started).rejects.toThrow(/trade v1, sell BTCUSDT, for order .* which the journal has as buy BTCUSDT/);
    await session.core.close();
  });
});
