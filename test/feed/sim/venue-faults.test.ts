import { afterEach, describe, expect, test } from "bun:test";
import { FaultDice, parseVenueFaults } from "../../../src/feed/sim/venue/faults.ts";
import { parseBalances, parseKeyFile } from "../../../src/feed/sim/venue/opening.ts";
import { eventually } from "../../support/eventually.ts";
import { type Bench, closeBenches, get, openBench } from "./exchange-bench.ts";
import { buy, signed, userStream } from "./venue-client.ts";

afterEach(closeBenches);

async function badDay(faults: string): Promise<Bench> {
  const bench = openBench({ speed: 1, account: { faults: parseVenueFaults(faults) } });
  bench.clock.step(60_000);
  await get(bench.url, "/api/v3/time");
  return bench;
}

/** The answer's status, or "broken" where none came within the time. */
async function statusOf(answer: Promise<{ readonly status: number }>): Promise<number | "broken"> {
  return answer.then(
    ({ status }) => status,
    () => "broken" as const,
  );
}

const orders = ({ exchange }: Bench) => exchange.counters()["venue.orders.total"];

describe("A bad day at the simulated venue", () => {
  test("ack-lost: the order is there, its answer is not", async () => {
    const bench = await badDay("ack-lost=1");
    expect(await statusOf(buy(bench, "a"))).toBe("broken");
    const found = await signed(bench, "GET", "order", { symbol: "BTCUSDT", origClientOrderId: "a" });
    expect([found.status, found.body.status]).toEqual([200, "FILLED"]);
  });

  test("lost: neither is there", async () => {
    const bench = await badDay("lost=1");
    expect(await statusOf(buy(bench, "a"))).toBe("broken");
    expect(orders(bench)).toBe(0);
  });

  test("timeout-after-accept: the order is there, and a stop answers 408 with -1007 at once", async () => {
    const bench = await badDay("timeout-after-accept=1");
    const answer = buy(bench, "a");
    await eventually(() => orders(bench) === 1);
    const stopped = bench.exchange.stop();
    expect(["broken", 408]).toContain(await statusOf(answer));
    await stopped;
  });

  test("reject, busy and ban: certain refusals in Binance's words, and nothing is there", async () => {
    const expected = { "reject=1": [400, -2010], "busy=1": [429, -1003], "ban=1": [418, -1003] };
    for (const [faults, [status, code]] of Object.entries(expected)) {
      const bench = await badDay(faults);
      const { status: found, body, headers } = await buy(bench, "a");
      expect([faults, found, body.code]).toEqual([faults, status, code]);
      expect(headers["retry-after"] ?? null).toBe(status === 429 ? "1" : status === 418 ? "2" : null);
      expect(orders(bench)).toBe(0);
    }
  });

  test("http-503: all three wordings come, and orders are there after some of them and not after others", async () => {
    const bench = await badDay("http-503=1");
    const seen = new Map<string, Set<boolean>>();
    for (let at = 0; at < 40; at++) {
      const before = orders(bench);
      const told = await buy(bench, `a${at}`).then(
        ({ body }) => String(body.code),
        () => "not JSON",
      );
      seen.set(told, (seen.get(told) ?? new Set()).add(orders(bench) !== before));
    }
    expect([...seen.keys()].sort()).toEqual(["-1000", "-1008", "not JSON"]);
    expect([...(seen.get("not JSON") ?? [])]).toEqual([false]);
    expect(seen.get("-1000")?.size).toBe(2);
    expect(seen.get("-1008")?.size).toBe(2);
  });

  test("skew-ms: some servers' clocks are off, so that a right timestamp is refused with -1021 by them", async () => {
    const bench = await badDay("skew-ms=10000");
    const messages = new Set<string>();
    for (let at = 0; at < 60; at++) {
      const { status, body } = await signed(bench, "GET", "account");
      if (status !== 200) expect(body.code).toBe(-1021);
      messages.add(String(body.msg ?? "fine"));
    }
    expect([...messages].sort()).toEqual([
      "Timestamp for this request is outside of the recvWindow.",
      "Timestamp for this request was 1000ms ahead of the server's time.",
      "fine",
    ]);
  });

  test("expire: a part fills and the rest expires, in the answer as in the stream", async () => {
    const bench = await badDay("expire=1");
    const stream = await userStream(bench);
    const { body } = await buy(bench, "a", { quantity: "0.1" });
    expect([body.status, body.expiryReason]).toEqual(["EXPIRED", "INSUFFICIENT_LIQUIDITY"]);
    expect(Number(body.executedQty)).toBeGreaterThan(0);
    expect(Number(body.executedQty)).toBeLessThan(0.1);
    const last = await eventually(() => stream.events.find(({ X }) => X === "EXPIRED"));
    expect([last.x, last.eR, last.z]).toEqual(["EXPIRED", "INSUFFICIENT_LIQUIDITY", body.executedQty]);
  });

  test("report-before-ack: the stream has the fill before the order is answered", async () => {
    const bench = await badDay("report-before-ack=1");
    const stream = await userStream(bench);
    let answered = false;
    const answer = buy(bench, "a").then(() => {
      answered = true;
    });
    await eventually(() => stream.events.some(({ X }) => X === "FILLED"));
    expect(answered).toBe(false);
    await answer;
  });

  test("duplicate-report: every report comes twice", async () => {
    const bench = await badDay("duplicate-report=1");
    const stream = await userStream(bench);
    const { body } = await buy(bench, "a");
    const expected = 2 * (1 + (body.fills as unknown[]).length);
    await eventually(() => stream.events.length === expected);
    expect(new Set(stream.events.map(({ I }) => I)).size).toBe(expected / 2);
  });

  test("stream-cut: the connection goes instead of the report, and the order is there all the same", async () => {
    const bench = await badDay("stream-cut=1");
    const stream = await userStream(bench);
    expect((await buy(bench, "a")).body.status).toBe("FILLED");
    await stream.closed;
    expect(stream.events).toEqual([]);
  });

  test("lag: a read right after an order may not know it yet, or not its trades, and later knows both", async () => {
    const bench = await badDay("lag=1");
    const placed = await buy(bench, "a");
    const order = { symbol: "BTCUSDT", origClientOrderId: "a" };
    expect((await signed(bench, "GET", "order", order)).body.code).toBe(-2013);
    const trades = () => signed(bench, "GET", "myTrades", { symbol: "BTCUSDT", orderId: String(placed.body.orderId) });
    expect((await trades()).body as unknown).toEqual([]);
    bench.clock.step(501);
    await get(bench.url, "/api/v3/time");
    expect((await signed(bench, "GET", "order", order)).body.status).toBe("FILLED");
    expect((await trades()).body as unknown).toHaveLength((placed.body.fills as unknown[]).length);
  });

  test("slow: every answer comes, and orders are taken once", async () => {
    const bench = await badDay("slow=1");
    const answers = await Promise.all(["a", "b", "c"].map((id) => buy(bench, id)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(orders(bench)).toBe(3);
  });
});

describe("Venue faults", () => {
  test("are the same for the same seed and request number, and others for another seed", () => {
    const faults = parseVenueFaults("reject=0.5,skew-ms=500");
    const drawn = (seed: number) => {
      const dice = new FaultDice(seed, faults);
      return Array.from({ length: 200 }, (_, at) => {
        const luck = dice.luck("request", at);
        return [luck.has("reject"), luck.skewMs, luck.between("wait", 0, 1000)];
      });
    };
    expect(drawn(7)).toEqual(drawn(7));
    expect(drawn(7)).not.toEqual(drawn(8));
    const struck = drawn(7).filter(([rejected]) => rejected).length;
    expect(struck).toBeGreaterThan(70);
    expect(struck).toBeLessThan(130);
  });

  test("of one name do not move those of another", () => {
    const rejects = (text: string) => {
      const dice = new FaultDice(3, parseVenueFaults(text));
      return Array.from({ length: 100 }, (_, at) => {
        const luck = dice.luck("request", at);
        luck.has("slow");
        return luck.has("reject");
      });
    };
    expect(rejects("reject=0.3")).toEqual(rejects("slow=0.9,reject=0.3"));
  });

  const wrong: readonly (readonly [string, string])[] = [
    ["ack-last=0.1", 'unknown fault "ack-last"; did you mean "ack-lost"?'],
    ["http503=0.1", 'did you mean "http-503"?'],
    ["dragons=0.1", 'unknown fault "dragons"; known are ack-lost, timeout-after-accept'],
    ["reject=2", 'expected reject= a chance from 0 to 1, found "reject=2"'],
    ["reject", 'found "reject"'],
    ["reject=-0.1", 'found "reject=-0.1"'],
    ["reject=0.1,reject=0.2", "reject is given twice"],
    ["skew-ms=1.5", 'expected skew-ms=0 to 3600000, found "skew-ms=1.5"'],
    ["", 'unknown fault ""'],
  ];
  test("that are not known, or whose value is out of range, are usage errors", () => {
    for (const [text, message] of wrong) expect(() => parseVenueFaults(text)).toThrow(message);
  });

  test("and balances and key files say what is wrong with them", () => {
    expect(parseBalances("USDT=100.5,BTC=0")).toEqual(
      new Map([
        ["USDT", 10_050_000_000n],
        ["BTC", 0n],
      ]),
    );
    for (const text of ["USDT", "USDT=", "USDT=-1", "usdt=1", "USDT=0.123456789"])
      expect(() => parseBalances(text)).toThrow(`found "${text}"`);
    expect(() => parseBalances("A=1,A=2")).toThrow("A is given twice");
    expect(parseKeyFile("f", "some-key-1\nsome secret\n")).toEqual({ apiKey: "some-key-1", secret: "some secret" });
    for (const text of ["", "short\nlong-enough", "long-enough-key", "long-enough-key\nlong-enough\nmore"])
      expect(() => parseKeyFile("keys", text)).toThrow("Cannot use keys: expected two lines");
  });
});
