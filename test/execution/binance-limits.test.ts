import { afterEach, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { platform } from "#platform";
import { venueEndpoint } from "../../src/execution/binance/endpoint.ts";
import { DEFAULT_START_MS } from "../../src/feed/sim/truth.ts";
import { eventually } from "../support/eventually.ts";
import { anOrder, closeVenueBenches, isPost, KEYS, openVenueBench } from "./support/binance-bench.ts";

afterEach(closeVenueBenches);

describe("A venue that wants to be left alone", () => {
  test("makes the order busy for as long as it says; nothing is sent meanwhile, and the caller's next try is taken", async () => {
    const bench = openVenueBench({ faults: "busy=0.5" });
    const order = anOrder();
    let tries = 0;
    let waits = 0;
    await eventually(async () => {
      tries++;
      const outcome = await bench.broker.submit(order);
      if (outcome.type === "accepted") return true;
      expect(outcome).toMatchObject({ type: "busy" });
      if (outcome.type === "busy") expect(outcome.retryAfterMs).toBeLessThanOrEqual(1000);
      const posts = bench.sent.filter(isPost).length;
      expect(await bench.broker.submit(order)).toMatchObject({ type: "busy" });
      expect(await bench.broker.lookup(order)).toMatchObject({
        type: "unknown",
        reason: expect.stringContaining("429"),
      });
      expect(bench.sent.filter(isPost)).toHaveLength(posts);
      waits++;
      return false;
    }, 15_000);
    expect(waits).toBeGreaterThan(0);
    expect(tries).toBeGreaterThan(1);
    expect(bench.orders()).toBe(1);
    expect(bench.broker.counters()["venue.requests.held.total"]).toBeGreaterThan(0);
  }, 20_000);

  test("by a ban counts as such, and its Retry-After is kept", async () => {
    const bench = openVenueBench({ faults: "ban=1" });
    expect(await bench.broker.submit(anOrder())).toMatchObject({ type: "busy", retryAfterMs: 2000 });
    expect(bench.broker.counters()).toMatchObject({
      "venue.requests.banned.total": 1,
      "venue.requests.limited.total": 1,
    });
  });

  test("by its request weight holds look-ups back before the limit is reached, and orders only at the limit", async () => {
    const bench = openVenueBench({ account: { weightPerMinute: 100_000 } });
    await bench.broker.submit(anOrder());
    await eventually(async () => {
      await bench.broker.account(["BTCUSDT", "ETHUSDT", "BNBUSDT"], 0);
      return (bench.broker.counters()["venue.weight.used"] ?? 0) > 5000;
    }, 15_000);
    expect(await bench.broker.lookup(anOrder())).toMatchObject({
      type: "unknown",
      reason: expect.stringContaining("of the minute's request weight are used"),
    });
    expect(await bench.broker.submit(anOrder())).toMatchObject({ type: "accepted" });
  }, 20_000);

  test("is asked at most 16 things at once, and what cannot be signed within 5 s is busy, never sent", async () => {
    let underWay = 0;
    let most = 0;
    const bench = openVenueBench({
      httpSend: async (request, timeoutMs) => {
        underWay++;
        most = Math.max(most, underWay);
        try {
          return await platform.httpSend(request, timeoutMs);
        } finally {
          underWay--;
        }
      },
    });
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => bench.broker.submit(anOrder())));
    expect(outcomes.every(({ type }) => type === "accepted")).toBe(true);
    expect(most).toBe(16);
    const asked = bench.sent.filter(({ url }) => url.includes("exchangeInfo") || url.includes("avgPrice"));
    expect(asked).toHaveLength(2);
  });

  test("or that is not there at all makes an order busy before anything was sent, and a look-up unknown", async () => {
    const bench = openVenueBench({ follow: false });
    await bench.exchange.stop();
    expect(await bench.broker.submit(anOrder())).toMatchObject({ type: "busy" });
    expect(await bench.broker.lookup(anOrder())).toMatchObject({ type: "unknown" });
    expect(await bench.broker.account(["BTCUSDT"], 0)).toMatchObject({ type: "unknown" });
    expect(bench.sent.filter(isPost)).toEqual([]);
  });
});

test("An order is on the wire once, also where a kept connection breaks under it", async () => {
  // A venue of bare TCP: it answers what it is asked, keeps the connection, and breaks it at an order.
  const posts: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      const text = data.toString();
      const answer = (value: unknown) => {
        const body = JSON.stringify(value);
        socket.write(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
      };
      if (text.includes("/api/v3/time")) return answer({ serverTime: 1_700_000_000_000 });
      if (text.includes("/api/v3/exchangeInfo"))
        return answer({ symbols: [{ symbol: "BTCUSDT", baseAsset: "BTC", quoteAsset: "USDT", filters: [] }] });
      posts.push(text);
      if (posts.length % 2 === 0) socket.destroy();
      else socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const bench = openVenueBench({ broker: { endpoint: venueEndpoint(`http://127.0.0.1:${port}`) }, follow: false });
  for (let at = 0; at < 4; at++) expect(await bench.broker.submit(anOrder())).toMatchObject({ type: "unknown" });
  server.close();
  expect(posts).toHaveLength(4);
});

test("The account is read in full, over as many pages as it takes", async () => {
  // How many fills an order takes hangs on what was traded just before: there must be enough for one each.
  const balances = new Map([["USDT", 10n ** 17n]]);
  const bench = openVenueBench({ follow: false, account: { balances } });
  const expected: string[] = [];
  for (let at = 0; at < 240; at++) {
    const outcome = await bench.broker.submit(anOrder({ quantity: at % 2 ? "0.1" : "0.2", symbol: "ETHUSDT" }));
    if (outcome.type !== "accepted") throw new Error(JSON.stringify(outcome));
    expected.push(...outcome.fills.map(({ fillId }) => fillId));
  }
  while (expected.length <= 1000) {
    const outcome = await bench.broker.submit(anOrder({ quantity: "2", symbol: "ETHUSDT" }));
    if (outcome.type !== "accepted") throw new Error(JSON.stringify(outcome));
    expected.push(...outcome.fills.map(({ fillId }) => fillId));
  }
  const account = await bench.broker.account(["ETHUSDT"], 0);
  if (account.type !== "known") throw new Error(account.reason);
  expect(account.trades.map(({ fillId }) => fillId)).toEqual(expected);
  const times = account.trades.map(({ timeMs }) => timeMs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const middle = times[500] ?? 0;
  const since = await bench.broker.account(["ETHUSDT"], middle);
  if (since.type !== "known") throw new Error(since.reason);
  expect(since.trades).toEqual(account.trades.filter(({ timeMs }) => timeMs >= middle));
}, 60_000);

test("The account of many symbols asks for all open orders at once, and tells those of the symbols asked for", async () => {
  const symbols = ["BTCUSDT", ...Array.from({ length: 14 }, (_, at) => `SYM${at}USDT`)];
  const source = {
    kind: "market",
    seed: 1,
    symbols: [...symbols, "ETHUSDT"],
    startMs: DEFAULT_START_MS,
    folder: null,
  } as const;
  const bench = openVenueBench({ faults: "partial=1", exchange: { source }, follow: false });
  const order = anOrder({ quantity: "0.5" });
  await bench.broker.submit(order);
  await bench.broker.submit(anOrder({ symbol: "ETHUSDT", quantity: "5" }));
  const account = await bench.broker.account(symbols, 0);
  if (account.type !== "known") throw new Error(account.reason);
  expect(account.openOrders).toEqual([{ clientOrderId: order.clientOrderId, symbol: "BTCUSDT" }]);
  expect([...account.holdings.keys()]).toEqual(symbols);
  expect(bench.sent.filter(({ url }) => url.includes("openOrders"))).toHaveLength(1);
});

test("Neither key nor secret nor signature is in a log, a reason, a counter or a printed broker", async () => {
  const bench = openVenueBench({
    faults: "ack-lost=0.2,lost=0.2,http-503=0.2,busy=0.02,reject=0.1,stream-cut=0.2,skew-ms=9000",
    broker: { timeoutMs: 400 },
  });
  const said: unknown[] = [];
  for (let at = 0; at < 25; at++) {
    const order = anOrder();
    said.push(await bench.broker.submit(order), await bench.broker.lookup(order));
  }
  const stranger = bench.another({ keys: { apiKey: "another-api-key", secret: KEYS.secret } });
  stranger.follow(() => undefined);
  said.push(await stranger.submit(anOrder()), await stranger.account(["BTCUSDT"], 0));
  await bench.exchange.stop();
  // A runtime may quote the whole address in its error, as Deno does.
  const quoting = openVenueBench({
    follow: false,
    httpSend: (request, timeoutMs) =>
      request.url.includes("signature")
        ? Promise.reject(new Error(`error sending request for url (${request.url})`))
        : platform.httpSend(request, timeoutMs),
  });
  said.push(
    await quoting.broker.lookup(anOrder()),
    await bench.broker.lookup(anOrder()),
    await stranger.lookup(anOrder()),
  );
  await eventually(() => bench.logged.some((line) => line.includes("stream is lost")));
  const shown = [
    ...said.map((outcome) => JSON.stringify(outcome)),
    ...bench.logged,
    ...quoting.logged,
    JSON.stringify(bench.broker.counters()),
    Bun.inspect(bench.broker, { depth: 12 }),
    JSON.stringify(bench.broker),
  ].join("\n");
  expect(shown.length).toBeGreaterThan(3000);
  for (const secret of [KEYS.apiKey, KEYS.secret, "another-api-key"]) expect(shown).not.toContain(secret);
  expect(shown).not.toMatch(/signature=[0-9a-f]/);
  expect(bench.sent.some(({ headers }) => headers["X-MBX-APIKEY"] === KEYS.apiKey)).toBe(true);
}, 60_000);
