import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HUB_LIMITS, HUB_TIMES } from "../../src/bridge/sse-limits.ts";
import { parseTopicFilter } from "../../src/bridge/topic-filter.ts";
import { ManualReader } from "./sse-manual-reader.ts";
import { hubWith, settle } from "./sse-rig.ts";

const KEYS = 6;
const CLIENTS = 3;

type Step =
  | { readonly do: "publish"; readonly key: number; readonly size: number }
  | { readonly do: "log"; readonly key: number; readonly size: number }
  | { readonly do: "flush" }
  | { readonly do: "beat" }
  | { readonly do: "read"; readonly client: number }
  | { readonly do: "join"; readonly client: number }
  | { readonly do: "resume"; readonly client: number };

const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom("publish" as const, "log" as const),
        key: fc.nat(KEYS - 1),
        size: fc.nat(120),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("flush" as const, "beat" as const) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom("read" as const, "read" as const, "join" as const, "resume" as const),
        client: fc.nat(CLIENTS - 1),
      }),
    },
  ),
  { maxLength: 80 },
) as fc.Arbitrary<Step[]>;

/** What a client knows over all its connections. */
class Knowledge {
  reader: ManualReader | null = null;
  values = new Map<string, number>();
  readonly entries = new Map<string, Set<number>>();
  lastEventId: string | null = null;

  /** Takes what was read, holding each connection to its promises. */
  take(): void {
    for (const event of this.reader?.take() ?? []) {
      if (event.id === undefined) continue;
      expect(event.seq).toBeGreaterThan(this.reader?.lastSeq ?? 0);
      if (this.reader) this.reader.lastSeq = event.seq;
      this.lastEventId = event.id;
      const { key, value, lines } = JSON.parse(event.data) as { key: string; value: number; lines?: number[] };
      expect(value).toBe(event.seq);
      expect(this.values.get(key) ?? 0).toBeLessThan(value);
      this.values.set(key, value);
      const known = this.entries.get(key) ?? new Set();
      for (const line of lines ?? []) known.add(line);
      if (lines) this.entries.set(key, known);
    }
  }
}

test("Whatever the order of events, slow reads and reconnections, a client ends with the newest of every key and every log entry, ids rise, and nothing is told twice.", async () => {
  let conflated = 0;
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 400 }), fc.nat(800), async (script, clientBytes, turnBytes) => {
      const limits = { clientBytes, turnBytes: turnBytes + 1, flushBytes: 250, pendingBytes: 1200 };
      const { time, hub, connect, publish } = hubWith(limits);
      const newest = new Map<string, number>();
      const rings = new Map<string, number[]>();
      const clients = Array.from({ length: CLIENTS }, () => new Knowledge());
      let seq = 0;
      const join = (client: Knowledge, lastEventId: string | null) => {
        client.take();
        void client.reader?.cancel();
        if (lastEventId === null) client.values = new Map();
        client.reader = new ManualReader(connect({ lastEventId: lastEventId ?? null }));
      };
      for (const step of script) {
        if (step.do === "publish" || step.do === "log") {
          const key = `${step.do}${step.key}`;
          newest.set(key, ++seq);
          const data = { key, value: seq, padding: "x".repeat(step.size) };
          if (step.do === "publish") publish("metrics", key, data);
          else {
            const ring = rings.get(key) ?? [];
            rings.set(key, ring);
            ring.push(seq);
            publish("logs", key, { ...data, lines: [seq] }, () => ({ ...data, lines: [...ring] }));
          }
        } else if (step.do === "flush") time.advance(HUB_TIMES.flushMs);
        else if (step.do === "beat") time.advance(HUB_TIMES.heartbeatMs);
        else {
          const client = clients[step.client] as Knowledge;
          if (step.do === "read") await client.reader?.readOnce();
          else join(client, step.do === "join" ? null : client.lastEventId);
          client.take();
        }
        await settle();
      }
      for (const client of clients) if (client.reader === null) join(client, null);
      time.advance(100);
      do {
        for (const client of clients) await client.reader?.readAll();
        time.advance(1);
      } while (hub.counters.slow > 0);
      for (const client of clients) {
        await client.reader?.readAll();
        client.take();
        expect(client.values).toEqual(new Map([...client.values, ...newest]));
        expect(client.values.size).toBe(newest.size);
        for (const [key, ring] of rings)
          expect([...(client.entries.get(key) ?? [])].sort((a, b) => a - b)).toEqual(ring);
      }
      expect(hub.counters).toMatchObject({ clients: CLIENTS, slow: 0, cut: 0 });
      expect(hub.counters.conflated).toBeGreaterThanOrEqual(0);
      conflated += hub.counters.conflated;
      await Promise.all(clients.map((client) => client.reader?.cancel()));
      void hub.close();
    }),
    { numRuns: 300 },
  );
  expect(conflated).toBeGreaterThan(0);
});

describe("A client that reads slowly", () => {
  test("gets every event while little waits, then the newest of every key in order, and is counted.", async () => {
    const { time, hub, connect, publish } = hubWith({ clientBytes: 1000, flushBytes: 1000 });
    const slow = new ManualReader(connect());
    for (let i = 1; i <= 100; i++) {
      publish("metrics", `k${i % 4}`, { padding: "x".repeat(100) });
      time.advance(HUB_TIMES.flushMs);
    }
    expect(hub.counters).toMatchObject({ slow: 1, cut: 0, conflated: 0 });
    await slow.readAll();
    const seqs = slow.take().flatMap((event) => (event.id === undefined ? [] : [event.seq]));
    const told = seqs.length - 4;
    expect(seqs).toEqual([...Array.from({ length: told }, (_, i) => i + 1), 97, 98, 99, 100]);
    expect(told).toBeGreaterThan(4);
    expect(told).toBeLessThan(12);
    expect(hub.counters).toMatchObject({ slow: 0, cut: 0, conflated: 100 - told - 4 });
    publish("metrics", "k1", {});
    time.advance(HUB_TIMES.flushMs);
    await slow.readAll();
    expect(slow.take().map((event) => event.seq)).toEqual([101]);
    void hub.close();
  });

  test("gets a log's whole ring where it lost an entry, and only the entries after its last where it did not.", async () => {
    const { time, hub, connect, publish } = hubWith({ clientBytes: 400, flushBytes: 400 });
    const ring: number[] = [];
    const log = () => {
      ring.push(ring.length + 1);
      publish("logs", "md", { lines: [ring.length] }, () => ({ lines: [...ring] }));
    };
    const slow = new ManualReader(connect());
    /** One that it takes at once, and one that waits. */
    const block = () => {
      for (let i = 0; i < 2; i++) {
        publish("metrics", "big", { padding: "x".repeat(500) });
        time.advance(HUB_TIMES.flushMs);
      }
    };
    log();
    time.advance(HUB_TIMES.flushMs);
    await slow.readAll();
    block();
    log();
    time.advance(HUB_TIMES.flushMs);
    await slow.readAll();
    block();
    log();
    log();
    time.advance(HUB_TIMES.flushMs);
    await slow.readAll();
    const lines = slow.take().flatMap((event) => (event.event === "logs" ? [JSON.parse(event.data).lines] : []));
    expect(lines).toEqual([[1], [2], [1, 2, 3, 4]]);
    void hub.close();
  });

  test("delays nobody else, and what waits for it is a reference to what all were sent.", async () => {
    const { time, hub, connect, join, publish } = hubWith();
    for (let i = 0; i < 50; i++) connect();
    const reader = join();
    let encoded = 0;
    const data = { toJSON: () => ({ n: ++encoded, padding: "x".repeat(10_000) }) };
    for (let i = 1; i <= 100; i++) {
      publish("metrics", "k", data);
      time.advance(HUB_TIMES.flushMs * 2);
      await settle();
      expect(reader.seqs).toHaveLength(i);
    }
    expect(encoded).toBe(100);
    expect(hub.counters).toMatchObject({ slow: 50, cut: 0 });
    void hub.close();
  });
});

test("What a client with a filter is not told is counted from its own first event on, also where it joined amid others' burst.", async () => {
  const { time, hub, connect, join, publish } = hubWith({ clientBytes: 300, flushBytes: 300 });
  join();
  publish("metrics", "k", {});
  const topics = parseTopicFilter("metrics");
  if (typeof topics === "string") throw new Error(topics);
  const slow = new ManualReader(connect({ topics }));
  time.advance(HUB_TIMES.flushMs);
  await slow.readAll();
  slow.take();
  for (let i = 0; i < 20; i++) {
    publish("metrics", "k", { padding: "x".repeat(200) });
    publish("health", "k", {});
    time.advance(HUB_TIMES.flushMs);
    await settle();
  }
  await slow.readAll();
  expect(hub.counters.conflated).toBe(20 - slow.take().length);
  expect(hub.counters.conflated).toBeGreaterThan(10);
  void hub.close();
});

describe("A client is cut off, and counted,", () => {
  test("where it reads nothing for 20 s while something waits; a quiet one that reads is not.", async () => {
    const { time, hub, connect, join } = hubWith();
    const stuck = connect();
    const reader = join();
    for (let i = 0; i < 12; i++) {
      time.advance(HUB_TIMES.heartbeatMs);
      await settle();
      if (i < 4) expect(hub.counters.cut).toBe(0);
    }
    expect(hub.counters).toMatchObject({ cut: 1, clients: 1 });
    expect(reader.ended).toBeNull();
    const late = new ManualReader(stuck);
    await late.readAll();
    expect(late.ended).toContain("cut off: nothing was read for 20000 ms");
    void hub.close();
  });

  test("where it takes over a minute to catch up, however often it reads a little.", async () => {
    const { time, hub, connect, publish } = hubWith({ clientBytes: 100, flushBytes: 100 });
    for (let i = 0; i < 100; i++) publish("metrics", `k${i}`, { padding: "x".repeat(100) });
    const slow = new ManualReader(connect());
    for (let i = 0; hub.counters.cut === 0; i++) {
      expect(i).toBeLessThan(14);
      await slow.readOnce();
      await settle();
      time.advance(HUB_TIMES.heartbeatMs);
    }
    await slow.readAll();
    expect(slow.ended).toContain(`cut off: it took over ${HUB_LIMITS.catchUpMs} ms to catch up`);
    void hub.close();
  });
});
