import { describe, expect, test } from "bun:test";
import { platform } from "#platform";
import type { Server, ServerSocket } from "../../src/core/env.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import type { FeedSink } from "../../src/feed/contract.ts";
import { venueBase } from "../../src/feed/live/endpoint.ts";
import { LiveFeed } from "../../src/feed/live/live-feed.ts";
import { openSimExchange } from "../../src/feed/sim/sim-exchange.ts";
import { venueOf } from "../../src/feed/venues/venues.ts";
import { eventually } from "../support/eventually.ts";
import { collect, deps, differences, hasRecordings, quietLog, recordedKlines, SPOT, USDM } from "./support.ts";

const NOW = 1_735_689_600_000;

interface Asked {
  readonly method: string;
  readonly params?: readonly string[];
  readonly id: number;
}

/** A small server that speaks the protocol as a test wants it: what the simulated exchange never does. */
function oddExchange(
  answer: (asked: Asked, socket: ServerSocket) => unknown,
  rest: (path: string) => Response | undefined = () => undefined,
): Server & { readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const server = platform.serve({
    host: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      const special = rest(pathname);
      if (special) return special;
      if (pathname === "/api/v3/time") return Response.json({ serverTime: NOW });
      if (pathname === "/api/v3/exchangeInfo")
        return Response.json({ symbols: [{ symbol: "BTCUSDT" }, { symbol: "ETHUSDT" }] });
      return Response.json({ code: -1000, msg: "no" }, { status: 404 });
    },
    upgrade: () => ({
      onOpen() {},
      onMessage(socket, text) {
        const request = JSON.parse(text) as Asked;
        asked.push(request);
        const reply = answer(request, socket);
        if (reply !== undefined) socket.send(JSON.stringify(reply));
      },
      onClose() {},
    }),
  });
  return Object.assign(server, { asked });
}

function feedOf(server: Server, symbols: readonly string[] = ["BTCUSDT", "ETHUSDT"]): LiveFeed {
  return new LiveFeed({ venue: venueOf("binance-spot"), symbols, url: `ws://127.0.0.1:${server.port}` }, deps);
}

function idleSink(more: Partial<FeedSink> = {}): FeedSink {
  return { onTrade() {}, onQuiet() {}, onConnected() {}, onInterrupted() {}, ...more };
}

describe("The Binance adapter", () => {
  test("derives the REST address and the environment from the url", () => {
    const venue = venueOf("binance-spot");
    for (const own of [undefined, "wss://stream.binance.com:9443", "wss://stream.binance.com:9443/stream"]) {
      expect(venueBase(venue, own)).toEqual({
        streamUrl: "wss://stream.binance.com:9443/stream",
        restOrigin: null,
        environment: "live",
      });
    }
    for (const url of ["ws://127.0.0.1:8123/", "ws://127.0.0.1:8123/stream"]) {
      expect(venueBase(venue, url)).toEqual({
        streamUrl: "ws://127.0.0.1:8123/stream",
        restOrigin: "http://127.0.0.1:8123",
        environment: "endpoint:127.0.0.1:8123",
      });
    }
    for (const url of ["", "http://x", "stream.binance.com", "ws://", "ws://h?x=1"]) {
      expect(() => venueBase(venue, url)).toThrow(/Bad --url/);
    }
  });

  test("a refused subscription ends the run with the symbols' names and the venue's reason", async () => {
    const server = oddExchange(({ id }) => ({ code: 2, msg: "Invalid request: no", id }));
    const feed = feedOf(server);
    await expect(feed.run(idleSink())).rejects.toThrow(
      /refused to subscribe 2 symbols \(BTCUSDT, ETHUSDT\): Invalid request: no \(code 2\)/,
    );
    await server.stop();
  });

  test("malformed messages are counted and skipped, and what follows them is read", async () => {
    const server = oddExchange(({ method, id }, socket) => {
      if (method !== "SUBSCRIBE") return { result: ["btcusdt@trade", "ethusdt@trade"], id };
      socket.send(JSON.stringify({ result: null, id }));
      for (const text of ["rubbish", "[]", '{"stream":"btcusdt@trade","data":{"e":"trade"}}', "\u0000"])
        socket.send(text);
      socket.send(
        `{"stream":"btcusdt@trade","data":{"e":"trade","E":${NOW},"s":"BTCUSDT","t":1,"p":"1.0","q":"2","T":${NOW},"m":true,"M":true}}`,
      );
      return undefined;
    });
    const feed = feedOf(server);
    const trades: number[] = [];
    const done = feed.run(idleSink({ onTrade: (trade) => trades.push(trade.id) }));
    await eventually(() => trades.length === 1);
    expect(feed.facts().counters["malformed.total"]).toBe(4);
    expect(feed.facts()).toMatchObject({ connected: true, environment: `endpoint:127.0.0.1:${server.port}`, speed: 1 });
    await feed.stop();
    await done;
    await server.stop();
  });

  test("a connection on which the venue lost one of our streams is replaced", async () => {
    let lists = 0;
    const server = oddExchange(({ method, id }) => {
      if (method === "SUBSCRIBE") return { result: null, id };
      return { result: ++lists === 1 ? ["btcusdt@trade"] : ["btcusdt@trade", "ethusdt@trade"], id };
    });
    const reasons: string[] = [];
    const feed = new LiveFeed(
      {
        venue: venueOf("binance-spot"),
        symbols: ["BTCUSDT", "ETHUSDT"],
        url: `ws://127.0.0.1:${server.port}`,
        staleAfterMs: 100,
      },
      deps,
    );
    const done = feed.run(idleSink({ onInterrupted: (_symbols, reason) => reasons.push(reason) }));
    await eventually(() => lists >= 3, 10_000);
    expect(reasons).toEqual(["the venue no longer sends us ETHUSDT"]);
    await feed.stop();
    await done;
    await server.stop();
  });

  test("a rate limit is kept for as long as the venue says", async () => {
    let requests = 0;
    const server = oddExchange(
      () => undefined,
      (path) => {
        if (path !== "/api/v3/klines") return undefined;
        requests++;
        return new Response("{}", { status: 429, headers: { "retry-after": "30" } });
      },
    );
    const feed = feedOf(server);
    await expect(feed.klines("BTCUSDT", NOW - MINUTE_MS, NOW - MINUTE_MS)).rejects.toThrow(/answered 429/);
    await expect(feed.klines("BTCUSDT", NOW - MINUTE_MS, NOW - MINUTE_MS)).rejects.toMatchObject({
      code: "unavailable",
    });
    await expect(feed.klines("BTCUSDT", NOW - MINUTE_MS, NOW - MINUTE_MS)).rejects.toThrow(/rate limit for 30 s more/);
    expect(requests).toBe(1);
    expect(feed.facts().counters["rest.limited.total"]).toBe(1);
    await server.stop();
  });

  test("klines that make no sense are refused rather than believed", async () => {
    const good = [NOW - MINUTE_MS, "1", "2", "1", "2", "3", NOW - 1, "4", 5, "1", "1", "0"];
    const rows = [good, good.with(2, "0.5"), good.with(1, "x"), good.with(6, NOW), good.slice(0, 5), "row"];
    for (const [at, row] of rows.entries()) {
      const server = oddExchange(
        () => undefined,
        (path) => (path === "/api/v3/klines" ? Response.json([row]) : undefined),
      );
      const asked = feedOf(server).klines("BTCUSDT", NOW - MINUTE_MS, NOW - MINUTE_MS);
      if (at === 0) expect(await asked).toMatchObject([{ open: 1, high: 2, trades: 5, provenance: "backfilled" }]);
      else await expect(asked).rejects.toMatchObject({ code: "unavailable" });
      await server.stop();
    }
  });

  test("many symbols go over several connections, 200 a message and at most five messages a second each", async () => {
    const symbols = Array.from({ length: 1100 }, (_, at) => `S${at}USDT`);
    const exchange = openSimExchange(
      {
        host: "127.0.0.1",
        port: 0,
        speed: 1,
        source: { kind: "market", seed: 1, symbols, startMs: NOW, folder: null },
      },
      { ...platform, log: quietLog },
    );
    const sent: { readonly socket: number; readonly at: number; readonly text: string }[] = [];
    let sockets = 0;
    const feed = new LiveFeed(
      { venue: venueOf("binance-spot"), symbols, url: `ws://127.0.0.1:${exchange.port}` },
      {
        ...deps,
        openSocket(url, handlers) {
          const number = sockets++;
          const socket = platform.openSocket(url, handlers);
          return {
            close: () => socket.close(),
            send(text) {
              sent.push({ socket: number, at: performance.now(), text });
              socket.send(text);
            },
          };
        },
      },
    );
    const groups: number[] = [];
    const done = feed.run(idleSink({ onConnected: (names) => groups.push(names.length) }));
    await eventually(() => groups.length === 2, 15_000);
    expect(groups.sort((left, right) => left - right)).toEqual([76, 1024]);
    expect(exchange.counters()).toMatchObject({ clients: 2, streams: 1100 });
    const subscriptions = sent
      .map(({ text }) => JSON.parse(text) as Asked)
      .filter(({ method }) => method === "SUBSCRIBE");
    expect(Math.max(...subscriptions.map(({ params }) => params?.length ?? 0))).toBeLessThanOrEqual(200);
    for (const { socket, at } of sent) {
      const within = sent.filter((other) => other.socket === socket && other.at >= at && other.at < at + 1000);
      expect(within.length).toBeLessThanOrEqual(5);
    }
    await feed.stop();
    await done;
    await exchange.stop();
  }, 30_000);
});

describe.skipIf(!hasRecordings)("Real recordings over a real WebSocket", () => {
  const inputs = [
    {
      name: "spot",
      folder: SPOT,
      file: "spot_btcusdt.trades.ws.txt.gz",
      first: 1_723_161_300_000,
      last: 1_723_161_840_000,
    },
    {
      name: "USD-M",
      folder: USDM,
      file: "usdm_btcusdt.trades.ws.txt.gz",
      first: 1_723_161_300_000,
      last: 1_723_161_480_000,
    },
  ];
  for (const { name, folder, file, first, last } of inputs) {
    test(`the ${name} recording, played by the simulated exchange at speed 120, gives the exchange's own klines`, async () => {
      const exchange = openSimExchange(
        { host: "127.0.0.1", port: 0, speed: 120, source: { kind: "recording", file: `${folder}/${file}` } },
        { ...platform, log: quietLog },
      );
      const feed = feedOf(exchange as unknown as Server, ["BTCUSDT"]);
      const { ingest, out } = collect(feed, ["BTCUSDT"]);
      const done = ingest.run();
      await eventually(() => out.candles.some((candle) => candle.openTime >= last), 30_000, "the last full minute");
      await ingest.stop();
      await done;
      const klines = recordedKlines(folder);
      for (let openTime = first; openTime <= last; openTime += MINUTE_MS) {
        const candle = out.candles.find((row) => row.openTime === openTime);
        const kline = klines.get(openTime);
        if (candle === undefined || kline === undefined) throw new Error(`no candle for ${openTime}`);
        expect(differences(candle, kline)).toEqual([]);
        expect(candle.provenance).toBe("complete");
      }
    }, 60_000);
  }
});
