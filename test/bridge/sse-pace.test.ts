import { expect, test } from "bun:test";
import { HUB_TIMES } from "../../src/bridge/sse-limits.ts";
import { ManualReader } from "./sse-manual-reader.ts";
import { hubWith } from "./sse-rig.ts";

/** How many chunks a client is sent in a second of 200 events, with `clients` of its kind. */
async function chunksInASecond(clients: number): Promise<{ chunks: number; events: number }> {
  const { time, hub, connect, publish } = hubWith();
  for (let i = 1; i < clients; i++) connect();
  const reader = new ManualReader(connect());
  await reader.readAll();
  reader.take();
  let [chunks, events] = [0, 0];
  for (let i = 0; i < 200; i++) {
    publish("metrics", `k${i % 7}`, i);
    time.advance(5);
    await reader.readAll();
    const taken = reader.take().filter((event) => event.seq > 0).length;
    events += taken;
    if (taken > 0) chunks++;
  }
  void hub.close();
  return { chunks, events };
}

test("A few clients are sent every event at once; with many, each write carries more, and none is left out.", async () => {
  expect(await chunksInASecond(10)).toEqual({ chunks: 200, events: 200 });
  const many = await chunksInASecond(1000);
  expect(many.chunks).toBe(1000 / (1000 * HUB_TIMES.pacePerClientMs));
  expect(many.events).toBeGreaterThan(175);
  const most = await chunksInASecond(5000);
  expect(most.chunks).toBe(1000 / HUB_TIMES.paceMostMs);
});

test("After a quiet while the first event does not wait for the pace.", async () => {
  const { time, hub, connect, publish } = hubWith();
  for (let i = 1; i < 5000; i++) connect();
  const reader = new ManualReader(connect());
  time.advance(1000);
  await reader.readAll();
  reader.take();
  publish("metrics", "k", 1);
  time.advance(HUB_TIMES.flushMs);
  await reader.readAll();
  expect(reader.take().map((event) => event.seq)).toEqual([1]);
  void hub.close();
});

test("Clients that ask for the snapshot at once get it turn by turn of the event loop, in the order they came; who leaves is passed over.", async () => {
  const { time, hub, connect, publish } = hubWith({ turnBytes: 2500 });
  publish("metrics", "k", { padding: "x".repeat(1000) });
  const clients = Array.from({ length: 7 }, () => new ManualReader(connect()));
  await clients[3]?.cancel();
  const told = new Array<number>(7).fill(0);
  const turns: number[][] = [];
  for (let turn = 0; turn < 4; turn++) {
    for (const [n, client] of clients.entries()) {
      if (n !== 3) await client.readAll();
      told[n] = (told[n] ?? 0) + client.take().filter((event) => event.seq === 1).length;
    }
    turns.push([...told]);
    time.advance(1);
  }
  expect(turns).toEqual([
    [1, 1, 1, 0, 0, 0, 0],
    [1, 1, 1, 0, 1, 1, 1],
    [1, 1, 1, 0, 1, 1, 1],
    [1, 1, 1, 0, 1, 1, 1],
  ]);
  expect(hub.counters).toMatchObject({ clients: 6, slow: 0 });
  void hub.close();
});
