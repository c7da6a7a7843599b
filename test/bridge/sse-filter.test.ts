import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { TELEMETRY_TYPES } from "../../src/bridge/contract.ts";
import { HUB_TIMES } from "../../src/bridge/sse-limits.ts";
import { parseTopicFilter, type TopicFilter } from "../../src/bridge/topic-filter.ts";
import { hubWith, settle } from "./sse-rig.ts";

function filter(text: string): TopicFilter {
  const parsed = parseTopicFilter(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

describe("A filter", () => {
  test("lets through the types it names, whole or for one symbol or node, dots in names included.", () => {
    const topics = filter("health,candle.BTCUSDT,candle.BRK.A,logs.md.1");
    expect(topics.matches("health", "anything")).toBe(true);
    expect(topics.matches("candle", "BTCUSDT")).toBe(true);
    expect(topics.matches("candle", "BRK.A")).toBe(true);
    expect(topics.matches("candle", "BTCUSD")).toBe(false);
    expect(topics.matches("logs", "md.1")).toBe(true);
    expect(topics.matches("logs", "md")).toBe(false);
    expect(topics.matches("metrics", "md")).toBe(false);
  });

  test("is the same whatever the order, repeats, and narrower words beside a whole type.", () => {
    expect(filter("candle.B,health,candle.A,candle.B").key).toBe(filter("candle.A,candle.B,health").key);
    expect(filter("candle.A,candle,candle.B").key).toBe(filter("candle").key);
    expect(filter("candle.A").key).not.toBe(filter("candle").key);
  });

  test("that names what is not known, nothing, or too much is refused with a text that names what is known.", () => {
    for (const text of [
      "",
      "helth",
      "health,",
      "candle.",
      ".BTCUSDT",
      "HEALTH",
      "health health",
      "bridge",
      "toString",
    ]) {
      const problem = parseTopicFilter(text);
      expect(problem).toBeString();
      for (const type of TELEMETRY_TYPES) expect(problem).toContain(type);
    }
    expect(parseTopicFilter("helth")).toContain('found "helth"');
    expect(parseTopicFilter("health,".repeat(2000))).toContain("at most");
    expect(parseTopicFilter(`candle.${"X".repeat(1000)}`)).toBeString();
  });

  test("reads any text into a filter or a problem of bounded length.", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const parsed = parseTopicFilter(text);
        expect((typeof parsed === "string" ? parsed : parsed.key).length).toBeLessThan(600);
      }),
    );
  });
});

test("Clients are told what they asked for, under the ids everybody has, and those who asked for the same share every chunk.", async () => {
  const { time, hub, connect, join, publish } = hubWith();
  publish("candle", "BTCUSDT", 1);
  publish("candle", "ETHUSDT", 2);
  publish("health", "md", 3);
  const all = join();
  const btc = join({ topics: filter("candle.BTCUSDT") });
  const streams = ["health,candle.ETHUSDT", "candle.ETHUSDT,health"].map((text) => connect({ topics: filter(text) }));
  const readers = streams.map((stream) => stream.getReader());
  for (const reader of readers) for (let i = 0; i < 2; i++) await reader.read();
  publish("candle", "BTCUSDT", 4);
  publish("metrics", "md", 5);
  publish("candle", "ETHUSDT", 6);
  publish("health", "md", 7);
  time.advance(HUB_TIMES.flushMs);
  await settle();
  expect(all.seqs).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(btc.seqs).toEqual([1, 4]);
  const [first, second] = await Promise.all(readers.map((reader) => reader.read()));
  expect(first?.value).toBe(second?.value as Uint8Array<ArrayBuffer>);
  const text = new TextDecoder().decode(first?.value);
  expect(text.match(/^id: .*$/gm)).toEqual(["id: life-6", "id: life-7"]);
  expect(hub.counters).toMatchObject({ slow: 0, conflated: 0 });
  void hub.close();
});

test("An event that nobody asked for is not encoded, and keeps nobody behind.", async () => {
  const { time, hub, join, publish } = hubWith();
  const reader = join({ topics: filter("health") });
  let encoded = 0;
  for (let i = 0; i < 10; i++) publish("metrics", "md", { toJSON: () => ++encoded });
  time.advance(HUB_TIMES.flushMs);
  publish("health", "md", 1);
  time.advance(HUB_TIMES.flushMs);
  await settle();
  expect(encoded).toBe(0);
  expect(reader.seqs).toEqual([11]);
  expect(hub.counters.slow).toBe(0);
  void hub.close();
});

test("A filtered client that comes back gets what it missed of what it asked for.", async () => {
  const { hub, join, publish } = hubWith();
  for (let i = 0; i < 5; i++) for (const symbol of ["A", "B", "C"]) publish("candle", symbol, i);
  const back = join({ topics: filter("candle.A,candle.C"), lastEventId: "life-13" });
  await settle();
  expect(back.seqs).toEqual([15]);
  void hub.close();
});
