import { expect, test } from "bun:test";
import type { Row } from "../../src/role/chaos/journals.ts";
import { scaled } from "../../src/role/chaos/judge-trading.ts";
import { type Case, first, sound, testCases, withFirstRunner, withLive, withTable, withVenue } from "./judging.ts";

function lostOrders(count: number): readonly Row[] {
  const live = sound.runners.find(({ undisturbed }) => undisturbed === null);
  const order = live?.found.intents[0] as Row;
  return Array.from({ length: count }, (_, at) => {
    return { ...order, client_order_id: `lost-${at}`, open_time: at, status: "lost" };
  });
}

const CASES: readonly Case[] = [
  [
    "an order twice by id",
    withTable("intents", (rows) => first(rows, { client_order_id: rows[1]?.client_order_id ?? "" }), true),
    ["orders-once"],
    /order .* twice/,
  ],
  [
    "a decision twice by its candle",
    withTable("intents", (rows) => [...rows, { ...(rows[0] as Row), client_order_id: "another" }], true),
    ["orders-once"],
    /was decided twice/,
  ],
  [
    "an order with an unknown outcome",
    withTable("intents", (rows) => first(rows, { status: "unknown" }), true),
    ["orders-once", "fills-once"],
    /is unknown/,
  ],
  ["no order at all", { ...sound, runners: [] }, ["orders-once", "fills-once", "positions"], /no order was made/],
  [
    "a fill twice",
    withTable("fills", (rows) => [...rows, rows[0] as Row], true),
    ["fills-once", "positions"],
    /fill .* twice/,
  ],
  [
    "a second fill of one order",
    withTable("fills", (rows) => [...rows, { ...(rows[0] as Row), fill_id: "another" }], true),
    ["fills-once", "positions"],
    /is not filled once/,
  ],
  [
    "a fill at another price",
    withTable("fills", (rows) => first(rows, { price: "1" }), true),
    ["fills-once"],
    /at 1, the open is/,
  ],
  [
    "a fill of no order",
    withTable("fills", (rows) => first(rows, { client_order_id: "ghost" }), true),
    ["fills-once"],
    /belongs to no order/,
  ],
  [
    "a fill at the candle that was decided on",
    withTable("fills", (rows) => first(rows, { candle_open_time: 0 }), true),
    ["fills-once"],
    /not at a later candle/,
  ],
  [
    "a decision that an undisturbed run takes otherwise",
    withTable("intents", (rows) => first(rows, { reason: "other" })),
    ["decisions"],
    /busy: intents .*other/,
  ],
  [
    "a decision that an undisturbed run does not take",
    withTable("intents", (rows) => [...rows, { ...(rows[0] as Row), client_order_id: "x", ordinal: 7 }]),
    ["decisions", "fills-once"],
    /\d+ intents, undisturbed \d+/,
  ],
  [
    "a decision left out",
    withTable("fills", (rows) => rows.slice(0, -1)),
    ["decisions", "fills-once"],
    /\d+ fills, undisturbed \d+/,
  ],
  [
    "an undisturbed run that failed",
    withFirstRunner((runner) => ({ ...runner, undisturbed: { problem: "no file" } })),
    ["decisions"],
    /no file/,
  ],
  ["another saved state", withTable("states", () => [{ symbol: "BTCUSDT" }]), ["decisions"], /1 states, undisturbed 0/],
  [
    "a position that is not the sum of its fills",
    withFirstRunner((runner) => ({ ...runner, positions: new Map([...(runner.positions ?? []), ["BTCUSDT", "77"]]) })),
    ["positions"],
    /busy told 77 BTCUSDT/,
  ],
  [
    "a runner that told no position",
    withFirstRunner((runner) => ({ ...runner, positions: null })),
    ["positions"],
    /told no position/,
  ],
  [
    "an order of the live runner that is still unknown",
    withLive((live) => ({
      ...live,
      found: { ...live.found, intents: first(live.found.intents, { status: "unknown" }) },
    })),
    ["orders-once"],
    /is unknown/,
  ],
  [
    "a runner that lost its journal and began anew",
    withFirstRunner((runner) => ({ ...runner, begun: { startSeq: 7, anchors: runner.begun?.anchors ?? [] } })),
    ["decisions"],
    /busy began after row 7, and its journal says 80/,
  ],
  [
    "a runner whose first candle became another",
    withFirstRunner((runner) => ({
      ...runner,
      begun: { startSeq: runner.found.startSeq, anchors: [{ symbol: "X" }] },
    })),
    ["decisions"],
    /busy began at .*"X"/,
  ],
  [
    "a runner that had not begun when it was hurt",
    withLive((live) => ({ ...live, begun: null })),
    ["decisions"],
    /trader had not begun/,
  ],
  [
    "a live decision left out",
    withLive((live) => ({ ...live, found: { ...live.found, intents: live.found.intents.slice(0, 3) } })),
    ["decisions"],
    /trader had 4 candles of BTCUSDT and took 3 decisions/,
  ],
  [
    "more lost orders than anything that could lose them",
    withLive((live) => ({
      ...live,
      found: { ...live.found, intents: [...live.found.intents, ...lostOrders(3)] },
    })),
    ["orders-once"],
    /3 orders are lost, and 1 things were in their way/,
  ],
  [
    "a fill's amount that is no number",
    withTable("fills", (rows) => first(rows, { quantity: "1e-3" }), true),
    ["fills-once", "positions"],
    /amount that is no number: "1e-3"/,
  ],
  [
    "a position that is no number",
    withLive((live) => ({ ...live, positions: new Map([["BTCUSDT", "much"]]) })),
    ["venue-holdings"],
    /trader: BTCUSDT has an amount that is no number: "much"/,
  ],
  [
    "an execution at the exchange that is no count",
    withVenue({ orders: first(sound.venue.orders, { executed: "" }) }),
    ["venue-orders"],
    /executed "", which is no count/,
  ],
  [
    "a fill twice in the live runner's journal",
    withLive((live) => ({
      ...live,
      found: { ...live.found, fills: [...live.found.fills, live.found.fills[0] as Row] },
    })),
    ["venue-orders"],
    /fill fill-0 is twice in the journal/,
  ],
  [
    "a live fill of an order that nobody made",
    withLive((live) => ({
      ...live,
      found: {
        ...live.found,
        fills: [...live.found.fills, { ...(live.found.fills[0] as Row), fill_id: "f", client_order_id: "ghost" }],
      },
    })),
    ["venue-orders"],
    /fill f in the journal is of order ghost, which was never decided.*order ghost is filled, and the exchange never had it/,
  ],
  [
    "an exchange that filled nothing",
    withVenue({ orders: sound.venue.orders.map((order) => ({ ...order, executed: "0" })) }),
    ["venue-orders"],
    /the exchange filled nothing/,
  ],
  [
    "an order twice at the exchange",
    withVenue({ orders: [...sound.venue.orders, sound.venue.orders[0] as Row] }),
    ["venue-orders"],
    /live-0 is twice at the exchange/,
  ],
  [
    "an order at the exchange that nobody decided",
    withVenue({ orders: first(sound.venue.orders, { client_order_id: "ghost" }) }),
    ["venue-orders"],
    /ghost at the exchange was never decided/,
  ],
  [
    "an order that went out the other way",
    withVenue({ orders: first(sound.venue.orders, { side: "SELL" }) }),
    ["venue-orders"],
    /live-0 at the exchange is SELL BTCUSDT/,
  ],
  [
    "an execution that the journal does not have",
    withVenue({ orders: first(sound.venue.orders, { executed: "1000000" }) }),
    ["venue-orders"],
    /executed 10000000000000000 \/ 10\^18 at the exchange, the journal has 20000000000000000/,
  ],
  [
    "a fill in the journal of an order that the exchange never had",
    withVenue({ orders: sound.venue.orders.slice(1) }),
    ["venue-orders"],
    /live-0 is filled, and the exchange never had it/,
  ],
  ["an exchange without orders", withVenue({ orders: [] }), ["venue-orders"], /no order reached the exchange/],
  [
    "another balance than the position told",
    withVenue({ balances: new Map([["BTC", 4_000_001n]]) }),
    ["venue-holdings"],
    /trader told 0.04 BTCUSDT, the account holds 40000010000000000/,
  ],
  [
    "a live runner that told no position",
    withLive((live) => ({ ...live, positions: null })),
    ["venue-holdings"],
    /trader told no position/,
  ],
];

testCases(CASES);

test("Decimal texts are added up exactly", () => {
  expect([scaled("0.1"), scaled("-12.000000000000000001"), scaled("3")]).toEqual([
    100_000_000_000_000_000n,
    -12_000_000_000_000_000_001n,
    3_000_000_000_000_000_000n,
  ]);
});
