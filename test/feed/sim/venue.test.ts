import { afterEach, describe, expect, test } from "bun:test";
import { parseVenueFaults } from "../../../src/feed/sim/venue/faults.ts";
import { eventually } from "../../support/eventually.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { type Bench, closeBenches, get, MARKET, openBench, SteppedClock } from "./exchange-bench.ts";
import { buy, signed, subscription, userStream } from "./venue-client.ts";

afterEach(closeBenches);

/** A market that has traded for a minute, with an account that has a million of its quote asset. */
async function openVenue(
  faults = "",
  options: Parameters<typeof openBench>[0] = {},
  clock = new SteppedClock(),
): Promise<Bench> {
  const account = faults === "" ? {} : { faults: parseVenueFaults(faults) };
  const bench = openBench({ speed: 1, account, ...options }, clock);
  await settle(bench, 60_000);
  return bench;
}

async function settle(bench: Bench, ms: number): Promise<void> {
  bench.clock.step(ms);
  await get(bench.url, "/api/v3/time");
}

describe("Trading at the simulated exchange", () => {
  test("fills a market order at the tape's newest prices and answers as newOrderRespType FULL does", async () => {
    const bench = await openVenue();
    const { status, body } = await buy(bench, "first");
    expect([status, body.status, body.clientOrderId, body.executedQty]).toEqual([200, "FILLED", "first", "0.01000000"]);
    const fills = body.fills as { price: string; qty: string; commission: string; commissionAsset: string }[];
    const { body: tape } = await get(bench.url, "/api/v3/trades?symbol=BTCUSDT&limit=5");
    const prices = (tape as { price: string }[]).map(({ price }) => price);
    expect(fills[0]?.price).toBe(prices.at(-1) ?? "");
    for (const fill of fills) expect(prices).toContain(fill.price);
    expect(fills.reduce((sum, fill) => sum + Number(fill.qty), 0)).toBeCloseTo(0.01, 8);
    for (const fill of fills)
      expect([fill.commissionAsset, Number(fill.commission)]).toEqual([
        "BTC",
        Math.floor(Number(fill.qty) * 1e5) / 1e8,
      ]);
    const quote = fills.reduce((sum, fill) => sum + Number(fill.price) * Number(fill.qty), 0);
    expect(Number(body.cummulativeQuoteQty)).toBeCloseTo(quote, 6);
  });

  test("keeps balances: commission in what is received, base for buys and quote for sells", async () => {
    const bench = await openVenue();
    const bought = await buy(bench, "b");
    const sold = await signed(bench, "POST", "order", { ...SELL, quantity: "0.00999", newClientOrderId: "s" });
    const fills = sold.body.fills as { commission: string; commissionAsset: string }[];
    expect(new Set(fills.map(({ commissionAsset }) => commissionAsset))).toEqual(new Set(["USDT"]));
    const account = await signed(bench, "GET", "account", { omitZeroBalances: "true" });
    const free = new Map(
      (account.body.balances as { asset: string; free: string }[]).map((row) => [row.asset, row.free]),
    );
    expect(Number(free.get("BTC") ?? "0")).toBeCloseTo(0.01 * 0.999 - 0.00999, 8);
    const spent = Number(bought.body.cummulativeQuoteQty);
    const got = Number(sold.body.cummulativeQuoteQty) * 0.999;
    expect(Number(free.get("USDT"))).toBeCloseTo(1_000_000 - spent + got, 5);
  });

  test("checks key, signature and time with Binance's codes", async () => {
    const bench = await openVenue();
    const at = bench.exchange.exchangeTimeMs();
    const cases: readonly (readonly [string, () => ReturnType<typeof signed>, number, number])[] = [
      ["no key", () => signed(bench, "GET", "account", {}, { key: "" }), 401, -2014],
      ["another key", () => signed(bench, "GET", "account", {}, { key: "some-other-key" }), 401, -2015],
      ["another secret", () => signed(bench, "GET", "account", {}, { secret: "wrong" }), 400, -1022],
      ["too old", () => signed(bench, "GET", "account", { timestamp: at - 5001 }), 400, -1021],
      ["too far ahead", () => signed(bench, "GET", "account", { timestamp: at + 1000 }), 400, -1021],
      [
        "within a wider window",
        () => signed(bench, "GET", "account", { timestamp: at - 5001, recvWindow: 6000 }),
        200,
        0,
      ],
      ["a window too wide", () => signed(bench, "GET", "account", { recvWindow: 60_001 }), 400, -1131],
      ["no time", () => signed(bench, "GET", "account", { timestamp: "" }), 400, -1102],
    ];
    for (const [what, answer, status, code] of cases) {
      const { body, status: found } = await answer();
      expect([what, found, body.code ?? 0]).toEqual([what, status, code]);
    }
  });

  test("refuses what an order's filters, balances or parameters do not allow, with Binance's codes", async () => {
    const bench = await openVenue();
    const cases: readonly (readonly [Readonly<Record<string, string>>, number, string])[] = [
      [{ quantity: "0.010001" }, -1013, "Filter failure: LOT_SIZE"],
      [{ quantity: "0.00001" }, -1013, "Filter failure: NOTIONAL"],
      [{ quantity: "0.0000000001" }, -1111, "too much precision"],
      [{ quantity: "100" }, -2010, "insufficient balance"],
      [{ side: "SELL" }, -2010, "insufficient balance"],
      [{ side: "LONG" }, -1117, "Invalid side"],
      [{ type: "LIMIT" }, -1116, "Invalid orderType"],
      [{ symbol: "NOUSDT" }, -1121, "Invalid symbol"],
      [{ newClientOrderId: "no spaces" }, -1100, "newClientOrderId"],
    ];
    for (const [change, code, message] of cases) {
      const { status, body } = await buy(bench, "bad", change);
      expect([change, status, body.code]).toEqual([change, 400, code]);
      expect(body.msg).toContain(message);
    }
    expect(bench.exchange.counters()["venue.orders.total"]).toBe(0);
  });

  test("refuses a client order id while its order is open, and takes it again once that is filled", async () => {
    const bench = await openVenue("partial=1");
    const first = await buy(bench, "same", { quantity: "0.5" });
    expect(["NEW", "PARTIALLY_FILLED"]).toContain(String(first.body.status));
    const again = await buy(bench, "same");
    expect([again.status, again.body.code, again.body.msg]).toEqual([400, -2010, "Duplicate order sent."]);
    for (let minute = 0; minute < 60 && (await openCount(bench)) > 0; minute++) await settle(bench, 60_000);
    expect((await lookup(bench, "same")).body.status).toBe("FILLED");
    const third = await buy(bench, "same");
    expect(third.status).toBe(200);
    expect((await lookup(bench, "same")).body.orderId).toBe(third.body.orderId);
    expect(Number(third.body.orderId)).toBeGreaterThan(Number(first.body.orderId));
  });

  test("knows orders by client id and by order id, and says -2013 of others", async () => {
    const bench = await openVenue();
    const { body } = await buy(bench, "known");
    expect((await lookup(bench, "known")).body).toMatchObject({
      orderId: body.orderId,
      status: "FILLED",
      type: "MARKET",
    });
    const byId = await signed(bench, "GET", "order", { symbol: "BTCUSDT", orderId: String(body.orderId) });
    expect(byId.body.clientOrderId).toBe("known");
    for (const parameters of [
      { origClientOrderId: "unknown" },
      { orderId: "99" },
      { orderId: String(body.orderId), origClientOrderId: "other" },
    ]) {
      const { status, body: refusal } = await signed(bench, "GET", "order", { symbol: "BTCUSDT", ...parameters });
      expect([status, refusal.code]).toEqual([400, -2013]);
    }
    const other = await signed(bench, "GET", "order", { symbol: "ETHUSDT", origClientOrderId: "known" });
    expect(other.body.code).toBe(-2013);
  });

  test("lists the account's trades by order, by id and by time, each with an id of its own", async () => {
    const bench = await openVenue();
    const first = await buy(bench, "one", { quantity: "0.05" });
    await settle(bench, 1000);
    const secondAt = bench.exchange.exchangeTimeMs();
    const second = await buy(bench, "two", { quantity: "0.05" });
    const all = await trades(bench, {});
    const expected = [...(first.body.fills as Fill[]), ...(second.body.fills as Fill[])].map(({ tradeId }) => tradeId);
    expect(all.map(({ id }) => id)).toEqual(expected);
    expect(new Set(expected).size).toBe(expected.length);
    const ofSecond = await trades(bench, { orderId: Number(second.body.orderId) });
    expect(ofSecond.map(({ id }) => id)).toEqual((second.body.fills as Fill[]).map(({ tradeId }) => tradeId));
    expect(await trades(bench, { startTime: secondAt })).toEqual(ofSecond);
    expect(await trades(bench, { fromId: expected[1] ?? 0 })).toEqual(all.slice(1));
    expect(await trades(bench, { limit: 1 })).toEqual(all.slice(-1));
  });

  test("a restart with the same folder knows every order, trade and balance, and open orders go on filling", async () => {
    using folder = tempFolder();
    const clock = new SteppedClock();
    const source = { ...MARKET, folder: folder.path };
    const before = await openVenue("partial=1", { source }, clock);
    const placed = await buy(before, "kept", { quantity: "0.2" });
    const known = await trades(before, {});
    await before.exchange.stop();
    const after = await openVenue("", { source }, clock);
    expect((await lookup(after, "kept")).body.orderId).toBe(placed.body.orderId);
    expect((await trades(after, {})).slice(0, known.length)).toEqual(known);
    for (let minute = 0; minute < 60 && (await openCount(after)) > 0; minute++) await settle(after, 60_000);
    const order = (await lookup(after, "kept")).body;
    expect([order.status, order.executedQty]).toEqual(["FILLED", "0.20000000"]);
    const sum = (await trades(after, {})).reduce((total, trade) => total + Number(trade.qty), 0);
    expect(sum).toBeCloseTo(0.2, 8);
  });

  test("other opening balances than the folder's account began with are refused", async () => {
    using folder = tempFolder();
    const source = { ...MARKET, folder: folder.path };
    await (await openVenue("", { source })).exchange.stop();
    const other = openVenue("", { source, account: { balances: new Map([["USDT", 5n]]) } });
    await expect(other).rejects.toThrow(/Cannot run the simulated account with other balances/);
  });

  test("counts request weight, answers 429 with Retry-After above the limit, and bans who goes on with 418", async () => {
    const bench = await openVenue("", { account: { weightPerMinute: 100 } });
    const answers = [];
    for (let at = 0; at < 17; at++) answers.push(await signed(bench, "GET", "account"));
    expect(answers.map(({ status }) => status)).toEqual([...Array(5).fill(200), ...Array(10).fill(429), 418, 418]);
    expect(answers[0]?.headers["x-mbx-used-weight-1m"]).toBe("20");
    expect(Number(answers[5]?.headers["retry-after"])).toBeGreaterThan(0);
    expect(answers.at(-1)?.headers["retry-after"]).toBe("120");
    expect(answers.at(-1)?.body.code).toBe(-1003);
    bench.clock.step(121_000);
    expect((await signed(bench, "GET", "account", { timestamp: await timeOf(bench) })).status).toBe(200);
  });

  test("tells a subscriber of every order: NEW, then each trade, ids and sums as REST has them", async () => {
    const bench = await openVenue();
    const stream = await userStream(bench);
    const { body } = await buy(bench, "told", { quantity: "0.05" });
    const fills = body.fills as Fill[];
    await eventually(() => stream.events.length === fills.length + 1);
    expect(stream.events[0]).toMatchObject({
      e: "executionReport",
      c: "told",
      x: "NEW",
      X: "NEW",
      i: body.orderId,
      t: -1,
    });
    expect(stream.events.slice(1).map(({ t, l, L }) => [t, l, L])).toEqual(
      fills.map(({ tradeId, qty, price }) => [tradeId, qty, price]),
    );
    expect(stream.events.at(-1)).toMatchObject({ X: "FILLED", z: "0.05000000", Z: body.cummulativeQuoteQty });
  });

  test("the WebSocket API refuses bad subscriptions with the documented codes", async () => {
    const bench = await openVenue();
    const stream = await userStream(bench, false);
    const at = bench.exchange.exchangeTimeMs();
    const code = async (method: string, params?: unknown) =>
      ((await stream.ask(method, params)) as { error?: { code: number } }).error?.code;
    expect(await code("userDataStream.subscribe.signature", subscription(at, "wrong"))).toBe(-1022);
    expect(await code("userDataStream.subscribe.signature", subscription(at - 60_000))).toBe(-1021);
    expect(await code("userDataStream.unsubscribe")).toBe(-2036);
    expect(await code("userDataStream.subscribe.signature", subscription(at))).toBeUndefined();
    expect(await code("userDataStream.subscribe.signature", subscription(at))).toBe(-2035);
    expect(await code("order.dance")).toBe(-1000);
    expect(await code("ping")).toBeUndefined();
    expect((await stream.ask("session.subscriptions")).result).toEqual([{ subscriptionId: 0 }]);
  });
});

interface Fill {
  readonly tradeId: number;
  readonly qty: string;
  readonly price: string;
}

const SELL = { symbol: "BTCUSDT", side: "SELL", type: "MARKET" };

function lookup(bench: Bench, clientOrderId: string) {
  return signed(bench, "GET", "order", { symbol: "BTCUSDT", origClientOrderId: clientOrderId });
}

async function openCount(bench: Bench): Promise<number> {
  const { body } = await signed(bench, "GET", "openOrders", { symbol: "BTCUSDT" });
  return (body as unknown as unknown[]).length;
}

async function trades(bench: Bench, parameters: Readonly<Record<string, number>>) {
  const { body } = await signed(bench, "GET", "myTrades", { symbol: "BTCUSDT", ...parameters });
  return body as unknown as { readonly id: number; readonly qty: string }[];
}

async function timeOf({ url }: Bench): Promise<number> {
  return ((await get(url, "/api/v3/time")).body as { serverTime: number }).serverTime;
}
