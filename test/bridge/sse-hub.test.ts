import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HUB_TIMES } from "../../src/bridge/sse-limits.ts";
import { SseReader } from "./sse-reader.ts";
import { hubWith, settle } from "./sse-rig.ts";

type Step = { readonly do: "publish"; readonly key: number } | { readonly do: "join" | "flush" };

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), key: fc.nat(4) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("join" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("flush" as const) }) },
  ),
  { maxLength: 60 },
) as fc.Arbitrary<Step[]>;

describe("Snapshot, then what follows", () => {
  test("Whenever a client joins, it ends with the newest of every key, and after its snapshot no id is missing or repeated.", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const { time, hub, join, publish } = hubWith({ flushBytes: 300, pendingBytes: 900 });
        const newest = new Map<string, number>();
        const clients: { reader: SseReader; joinedAt: number; known: number }[] = [];
        let seq = 0;
        for (const step of script) {
          if (step.do === "publish") {
            newest.set(`k${step.key}`, ++seq);
            publish("metrics", `k${step.key}`, { key: `k${step.key}`, value: seq });
          } else if (step.do === "join") clients.push({ reader: join(), joinedAt: seq, known: newest.size });
          else time.advance(HUB_TIMES.flushMs);
        }
        time.advance(100);
        await settle();
        for (const { reader, joinedAt, known } of clients) {
          const state = new Map<string, number>();
          for (const event of reader.numbered) {
            const { key, value } = JSON.parse(event.data) as { key: string; value: number };
            expect(event.id).toBe(`life-${value}`);
            state.set(key, value);
          }
          expect(new Map([...state].sort())).toEqual(new Map([...newest].sort()));
          const snapshot = reader.seqs.slice(0, known);
          expect(snapshot).toEqual([...new Set(snapshot)].sort((a, b) => a - b));
          expect(reader.seqs.slice(known)).toEqual(Array.from({ length: seq - joinedAt }, (_, i) => joinedAt + 1 + i));
        }
        void hub.close();
      }),
      { numRuns: 60 },
    );
  });

  test("A client is first told how long to wait before reconnecting, and how the bridge is, without an id.", async () => {
    const { hub, join, publish } = hubWith();
    publish("health", "h", { fine: true });
    const reader = join();
    await settle();
    expect(reader.retryMs).toBe(HUB_TIMES.retryMs);
    expect(reader.events.map((event) => [event.event, event.id])).toEqual([
      ["bridge", undefined],
      ["health", "life-1"],
    ]);
    void hub.close();
  });

  test("A new client gets the whole of what live clients got in parts, under the newest part's id.", async () => {
    const { time, hub, join, publish } = hubWith();
    const ring: number[] = [];
    const live = join();
    for (let i = 1; i <= 3; i++) {
      ring.push(i);
      publish("logs", "l", { lines: [i] }, () => ({ lines: [...ring] }));
    }
    time.advance(50);
    const late = join();
    await settle();
    expect(live.numbered.map((event) => event.data)).toEqual(['{"lines":[1]}', '{"lines":[2]}', '{"lines":[3]}']);
    expect(late.numbered.map((event) => [event.id, event.data])).toEqual([["life-3", '{"lines":[1,2,3]}']]);
    void hub.close();
  });

  test("What was forgotten is in no later snapshot.", async () => {
    const { hub, join, publish } = hubWith();
    publish("health", "a", 1);
    publish("health", "b", 2);
    hub.forget("health a");
    const reader = join();
    await settle();
    expect(reader.seqs).toEqual([2]);
    void hub.close();
  });
});

describe("Encoding", () => {
  test("An event is encoded once, however many listen, and not at all while nobody does.", () => {
    const { time, hub, publish } = hubWith();
    let encoded = 0;
    const data = { toJSON: () => ++encoded };
    publish("metrics", "a", data);
    expect(encoded).toBe(0);
    for (let i = 0; i < 50; i++) hub.connect();
    expect(encoded).toBe(1);
    publish("metrics", "b", data);
    time.advance(50);
    hub.connect();
    expect(encoded).toBe(2);
    void hub.close();
  });

  test("Heartbeats are comments with the bridge's state, every five seconds, and take no id.", async () => {
    const { time, hub, join, publish } = hubWith();
    const reader = join();
    time.advance(10_000);
    publish("metrics", "a", 1);
    time.advance(50);
    await settle();
    expect(reader.comments).toEqual(["beat", "beat"]);
    expect(reader.events.map((event) => event.event)).toEqual(["bridge", "bridge", "bridge", "metrics"]);
    expect(reader.seqs).toEqual([1]);
    void hub.close();
  });
});

describe("Bounds", () => {
  test("A burst far above a client's limit harms nobody who reads: it goes out in slices.", async () => {
    const { time, hub, join, publish } = hubWith({ clientBytes: 20_000, flushBytes: 10_000 });
    const reader = join();
    for (let i = 0; i < 200; i++) publish("candle", `c${i}`, { padding: "x".repeat(1000) });
    for (let i = 0; i < 40; i++) {
      time.advance(i === 0 ? HUB_TIMES.flushMs : 1);
      await settle();
    }
    expect(hub.counters.cut).toBe(0);
    expect(reader.seqs).toHaveLength(200);
    void hub.close();
  });

  test("A snapshot larger than the limit does not count against it.", async () => {
    const { time, hub, join, publish } = hubWith({ clientBytes: 1000 });
    for (let i = 0; i < 100; i++) publish("candle", `c${i}`, { padding: "x".repeat(100) });
    const stream = hub.connect();
    publish("candle", "c0", {});
    time.advance(50);
    expect(hub.counters.cut).toBe(0);
    const reader = new SseReader(stream as ReadableStream<Uint8Array>);
    await settle();
    expect(reader.seqs).toHaveLength(101);
    expect(join()).toBeDefined();
    void hub.close();
  });

  test("At the client limit the next one is refused and counted; a leaving one frees its place.", async () => {
    const { hub, join } = hubWith({ clients: 2 });
    const first = join();
    join();
    expect(hub.connect()).toBeNull();
    expect(hub.counters).toMatchObject({ clients: 2, refused: 1 });
    await first.cancel();
    expect(hub.connect()).not.toBeNull();
    void hub.close();
  });

  test("An aborted request frees its place at once.", () => {
    const { hub } = hubWith();
    const abort = new AbortController();
    hub.connect({ signal: abort.signal });
    abort.abort();
    expect(hub.counters).toMatchObject({ clients: 0, cut: 0 });
    void hub.close();
  });
});

test("Closing sends what waits, ends every stream in order, and refuses new clients.", async () => {
  const { hub, join, publish } = hubWith();
  const reader = join();
  publish("metrics", "a", 1);
  void hub.close();
  void hub.close();
  await settle();
  expect(reader.seqs).toEqual([1]);
  expect(reader.ended).toBe("closed");
  expect(hub.connect()).toBeNull();
});
