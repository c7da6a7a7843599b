import { afterEach, describe, expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { MINUTE_MS, minuteOf } from "../../../src/core/time.ts";
import { knownBadFaults, parseBadDay } from "../../../src/feed/sim/bad-day.ts";
import { DEFAULT_START_MS } from "../../../src/feed/sim/truth.ts";
import type { Venue, VenueTrade } from "../../../src/feed/venues/contract.ts";
import { VENUES, venueOf } from "../../../src/feed/venues/venues.ts";
import { eventually } from "../../support/eventually.ts";
import { type Bench, type Client, closeBenches } from "./exchange-bench.ts";
import { get, heard, marketTrades, namesOf, openVenue, pass, readAll, subscribed } from "./venue-bench.ts";

afterEach(closeBenches);

const BINANCE = venueOf("binance-spot");
const COINBASE = venueOf("coinbase");
const KRAKEN = venueOf("kraken");
const MINUTES = 12;

/** A bad day of some minutes, and what a client heard of it. */
async function badDay(venue: Venue, text: string): Promise<{ readonly bench: Bench; readonly client: Client }> {
  const bench = openVenue(venue, { badDay: parseBadDay(text) });
  const client = await subscribed(venue, bench.url);
  await pass(bench, client, MINUTES * MINUTE_MS, venue, text.includes("slow"));
  return { bench, client };
}

const counted = (bench: Bench, fault: string) => bench.exchange.counters()[`bad.${fault}.total`] ?? 0;
const through = DEFAULT_START_MS + (MINUTES - 2) * MINUTE_MS;
const whole = (trades: readonly VenueTrade[]) => trades.filter(({ timeMs }) => timeMs < through);
const keyOf = ({ symbol, id }: { symbol: string; id: number | null }) => `${symbol} ${id}`;
const wanted = (venue: Venue) => marketTrades(namesOf(venue), MINUTES).filter(({ timeMs }) => timeMs < through);

describe("a bad day of the simulated exchange", () => {
  test("is read from its names and values, and refused with what was expected", () => {
    expect(parseBadDay("drop=0.01,freeze=0.1:30,burst=1,clock=-2.5")).toEqual({
      chances: { drop: 0.01, freeze: 0.1, burst: 1 },
      lasting: { freeze: 30_000, burst: 10_000 },
      skewMs: -2500,
    });
    for (const [text, message] of [
      ["dorp=1", 'unknown fault "dorp"; did you mean "drop"?'],
      ["drop=2", "expected drop= a chance from 0 to 1"],
      ["drop=0.1,drop=0.1", "drop is given twice"],
      ["drop=0.1:3", "drop takes no seconds"],
      ["freeze=0.1:0", "expected freeze=chance:seconds"],
      ["clock=4000", "expected clock= seconds"],
      ["", 'unknown fault ""'],
    ] as const)
      expect(() => parseBadDay(text)).toThrow(message);
    expect(knownBadFaults().map(({ fault }) => fault)).toContain("rest-limited");
  });

  test("drops messages, which leaves the holes in ids and in a connection's numbers that a client can find", async () => {
    const { bench, client } = await badDay(BINANCE, "drop=0.1");
    const trades = whole(heard(BINANCE, client).trades);
    const missing = wanted(BINANCE).length - trades.length;
    expect(missing).toBeGreaterThan(30);
    expect(counted(bench, "drop")).toBeGreaterThanOrEqual(missing);
    expect(new Set(trades.map(keyOf)).size).toBe(trades.length);
    const coinbase = await badDay(COINBASE, "drop=0.1");
    const numbers = coinbase.client.texts.map((text) => Number(/"sequence_num":(\d+)/.exec(text)?.[1]));
    expect(numbers.at(-1)).toBe(coinbase.client.texts.length - 1 + counted(coinbase.bench, "drop"));
  });

  test("repeats and reorders messages, and loses none", async () => {
    const { bench, client } = await badDay(BINANCE, "repeat=0.1,reorder=0.1");
    const keys = whole(heard(BINANCE, client).trades).map(keyOf);
    expect(new Set(keys)).toEqual(new Set(wanted(BINANCE).map(keyOf)));
    expect(keys.length).toBeGreaterThan(wanted(BINANCE).length);
    const ids = heard(BINANCE, client)
      .trades.filter(({ symbol }) => symbol === "BTCUSDT")
      .map(({ id }) => id ?? 0);
    expect(ids.some((id, at) => id < (ids[at - 1] ?? 0))).toBe(true);
    expect(counted(bench, "repeat")).toBeGreaterThan(0);
    expect(counted(bench, "reorder")).toBeGreaterThan(0);
  });

  test("splits a message's trades over several", async () => {
    const rows = async (text: string) => {
      const { bench, client } = await badDay(KRAKEN, text);
      const frames = readAll(KRAKEN, client).filter((frame) => frame.type === "trades");
      return { bench, most: Math.max(...frames.map(({ trades }) => trades.length)), frames };
    };
    const split = await rows("split=1");
    expect(split.most).toBe(1);
    expect(counted(split.bench, "split")).toBeGreaterThan(10);
    expect((await rows("split=0")).most).toBeGreaterThan(1);
    expect(split.frames.flatMap(({ trades }) => whole(trades)).length).toBe(wanted(KRAKEN).length);
  });

  test.each(VENUES.map((venue) => [venue.id, venue] as const))(
    "damages messages of %s so that none reads as another trade",
    async (_id, venue) => {
      const { bench, client } = await badDay(venue, "malformed=0.2");
      const { trades, malformed } = heard(venue, client);
      expect(malformed.length).toBe(counted(bench, "malformed"));
      expect(malformed.length).toBeGreaterThan(50);
      const truth = new Set(
        marketTrades(namesOf(venue), MINUTES + 1).map(({ symbol, timeMs, price }) => `${symbol} ${timeMs} ${price}`),
      );
      const live = trades.filter(({ timeMs }) => timeMs >= DEFAULT_START_MS);
      expect(live.filter(({ symbol, timeMs, price }) => !truth.has(`${symbol} ${timeMs} ${Number(price)}`))).toEqual(
        [],
      );
    },
  );

  test("pads a message to megabytes that say the same", async () => {
    const { bench, client } = await badDay(BINANCE, "oversized=0.005");
    expect(counted(bench, "oversized")).toBeGreaterThan(0);
    expect(client.texts.filter(({ length }) => length > 4_000_000).length).toBe(counted(bench, "oversized"));
    expect(whole(heard(BINANCE, client).trades).length).toBe(wanted(BINANCE).length);
  });

  test("freezes a connection: probes are answered, and its trades of that time never come", async () => {
    const { bench, client } = await badDay(KRAKEN, "freeze=1:40");
    const times = whole(heard(KRAKEN, client).trades).map(({ timeMs }) => timeMs);
    expect(times.length).toBeLessThan(wanted(KRAKEN).length * 0.8);
    expect(counted(bench, "freeze")).toBeGreaterThan(5);
    const told = new Set(times);
    const lost = wanted(KRAKEN).filter(({ timeMs }) => !told.has(timeMs));
    expect(lost.length).toBeGreaterThan(50);
  });

  test("holds trades back and sends them in a burst, in order and all of them", async () => {
    const { bench, client } = await badDay(BINANCE, "burst=1:20");
    expect(whole(heard(BINANCE, client).trades).map(keyOf).toSorted()).toEqual(wanted(BINANCE).map(keyOf).toSorted());
    const times = heard(BINANCE, client).trades.map(({ timeMs }) => timeMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(counted(bench, "burst")).toBeGreaterThan(5);
  });

  test("delays all that a connection sends, and tells trades late", async () => {
    const slow = await badDay(BINANCE, "slow=1:5");
    expect(whole(heard(BINANCE, slow.client).trades).length).toBe(wanted(BINANCE).length);
    expect(counted(slow.bench, "slow")).toBeGreaterThan(5);
    const { bench, client } = await badDay(BINANCE, "late=0.05");
    const trades = heard(BINANCE, client).trades.filter(({ symbol }) => symbol === "BTCUSDT");
    const late = trades.filter(({ timeMs }, at) => minuteOf(timeMs) < minuteOf(trades[at - 1]?.timeMs ?? 0));
    expect(late.length).toBeGreaterThan(5);
    expect(counted(bench, "late")).toBeGreaterThan(10);
  });

  test("skips ids after trades, which no kline counts and REST's ids agree with", async () => {
    const { bench, client } = await badDay(BINANCE, "id-jump=0.02");
    const trades = heard(BINANCE, client).trades.filter(({ symbol }) => symbol === "BTCUSDT");
    const jumps = trades.filter(({ id }, at) => at > 0 && (id ?? 0) - (trades[at - 1]?.id ?? 0) === 8);
    expect(jumps.length).toBeGreaterThan(5);
    expect(counted(bench, "id-jump")).toBeGreaterThanOrEqual(jumps.length);
    const { rest } = BINANCE;
    const [first, last] = [trades[20], trades[70]];
    const range = { fromId: first?.id ?? 0, throughId: last?.id ?? 0, fromTimeMs: first?.timeMs ?? 0 };
    const url = rest.tradesUrl?.("BTCUSDT", range) ?? "";
    const page = rest.trades("BTCUSDT", (await get(bench.url, url)).body).slice(0, 51);
    expect(page.map(({ id }) => id)).toEqual(trades.slice(20, 71).map(({ id }) => id));
  });

  test("cuts a connection in the middle of a frame", async () => {
    const bench = openVenue(KRAKEN, { badDay: parseBadDay("cut=1") });
    const [host = "", port = ""] = bench.url.split(":");
    const received: Buffer[] = [];
    let ended = false;
    const socket = connectTcp(Number(port), host);
    socket.on("data", (bytes) => received.push(Buffer.from(bytes as Buffer)));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      ended = true;
    });
    const head = ["GET /v2 HTTP/1.1", `Host: ${bench.url}`, "Upgrade: websocket", "Connection: Upgrade"];
    socket.write(
      [...head, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""].join("\r\n"),
    );
    await eventually(() => received.length > 0, 5000, "the handshake");
    await eventually(
      () => {
        bench.clock.step(50);
        return ended;
      },
      5000,
      "the cut",
    );
    const frames = Buffer.concat(received).subarray(Buffer.concat(received).indexOf("\r\n\r\n") + 4);
    // A text frame with a length of 64 bits, of which less has come.
    const at = frames.lastIndexOf(Buffer.from([0x81, 0x7f]));
    const wanted = Number(frames.readBigUInt64BE(at + 2));
    expect(wanted).toBe(16 * 1024 * 1024);
    expect(frames.length - at - 10).toBeLessThan(wanted);
    expect(frames.length - at - 10).toBeGreaterThan(0);
  });

  test("cuts connections without a word and closes others as the venue announces it", async () => {
    for (const text of ["cut=1", "shutdown=1"]) {
      const bench = openVenue(BINANCE, { badDay: parseBadDay(text) });
      const client = await subscribed(BINANCE, bench.url);
      let closed: string | null = null;
      void client.closed.then((reason) => {
        closed = reason;
      });
      await eventually(
        () => {
          bench.clock.step(200);
          return closed !== null;
        },
        5000,
        "the close",
      );
      const announced = readAll(BINANCE, client).some(({ type }) => type === "closing");
      expect(announced).toBe(text === "shutdown=1");
      expect(counted(bench, text === "cut=1" ? "cut" : "shutdown")).toBe(1);
    }
  });

  test.each(VENUES.map((venue) => [venue.id, venue] as const))(
    "takes REST of %s down, limits it in its way, and puts its clock off",
    async (_id, venue) => {
      const down = openVenue(venue, { badDay: parseBadDay("rest-down=1") });
      expect((await get(down.url, venue.rest.timeUrl)).status).toBeGreaterThanOrEqual(500);
      const limited = openVenue(venue, { badDay: parseBadDay("rest-limited=1") });
      const { status, headers, body } = await get(limited.url, venue.rest.timeUrl);
      const after = headers.get("retry-after");
      expect(venue.rest.pauseMs(status, body, after === null ? null : Number(after))).toBeGreaterThan(0);
      expect(counted(limited, "rest-limited")).toBe(1);
      const off = openVenue(venue, { badDay: parseBadDay("clock=-30") });
      const told = venue.rest.time((await get(off.url, venue.rest.timeUrl)).body);
      const offMs = off.exchange.exchangeTimeMs() - told.timeMs - 30_000;
      expect(offMs >= 0 && offMs <= told.precisionMs).toBe(true);
    },
  );

  test("is the same for the same seed and course of requests", async () => {
    const all = "drop=0.05,repeat=0.05,reorder=0.05,malformed=0.05,late=0.02,freeze=0.2,burst=0.2";
    const texts = async () => (await badDay(KRAKEN, all)).client.texts.filter((text) => text.includes("trade"));
    expect(await texts()).toEqual(await texts());
  });
});
