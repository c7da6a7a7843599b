import { expect, test } from "bun:test";
import type { ResyncEvent } from "../../src/bridge/contract.ts";
import { HUB_TIMES } from "../../src/bridge/sse-limits.ts";
import { hubWith, settle } from "./sse-rig.ts";

test("A client that comes back gets what it missed and no more: the newest of each key, then what follows.", async () => {
  const { time, hub, join, publish } = hubWith();
  for (let i = 1; i <= 9; i++) publish("metrics", `k${i % 3}`, i);
  const back = join({ lastEventId: "life-7" });
  const upToDate = join({ lastEventId: "life-9" });
  await settle();
  expect(back.seqs).toEqual([8, 9]);
  publish("metrics", "k0", 10);
  time.advance(HUB_TIMES.flushMs);
  await settle();
  expect(back.seqs).toEqual([8, 9, 10]);
  expect(upToDate.seqs).toEqual([10]);
  expect(back.events.map((event) => event.event)).not.toContain("resync");
  expect(hub.counters).toMatchObject({ resumed: 2, resynced: 0, conflated: 0 });
  void hub.close();
});

test("A client that missed a log entry gets the whole ring; one that missed none gets what is new.", async () => {
  const { hub, join, publish } = hubWith();
  const ring: number[] = [];
  for (let i = 1; i <= 3; i++) {
    ring.push(i);
    publish("logs", "md", [i], () => [...ring]);
  }
  const missedTwo = join({ lastEventId: "life-1" });
  const missedOne = join({ lastEventId: "life-2" });
  await settle();
  expect(missedTwo.numbered.map((event) => event.data)).toEqual(["[1,2,3]"]);
  expect(missedOne.numbered.map((event) => event.data)).toEqual(["[3]"]);
  void hub.close();
});

const STRANGE: readonly (readonly [title: string, id: string, reason: string])[] = [
  ["of another life of the bridge", "other-5", "the bridge was started anew"],
  ["newer than any", "life-3", "newer than any"],
  ["that is no id", "garbage", "not one of a bridge"],
  ["far too long", `${"x".repeat(100_000)}-1`, "not one of a bridge"],
  ["with a number no bridge counts to", "life-99999999999999999999", "not one of a bridge"],
];

for (const [title, lastEventId, reason] of STRANGE) {
  test(`A last event's id ${title} is answered with resync, then the whole snapshot.`, async () => {
    const { hub, join, publish } = hubWith();
    publish("metrics", "a", 1);
    publish("metrics", "b", 2);
    const reader = join({ lastEventId });
    await settle();
    expect(reader.events.map((event) => [event.event, event.id])).toEqual([
      ["bridge", undefined],
      ["resync", undefined],
      ["metrics", "life-1"],
      ["metrics", "life-2"],
    ]);
    const told = JSON.parse(reader.events[1]?.data ?? "") as ResyncEvent;
    expect(told.epoch).toBe("life");
    expect(told.reason).toContain(reason);
    expect(hub.counters).toMatchObject({ resumed: 0, resynced: 1 });
    void hub.close();
  });
}

test("An empty id, or one of before the first event, is a new client, without resync.", async () => {
  const { hub, join, publish } = hubWith();
  const first = join({ lastEventId: hub.lastEventId });
  publish("metrics", "a", 1);
  const reader = join({ lastEventId: "" });
  await settle();
  expect(reader.seqs).toEqual([1]);
  expect([...first.events, ...reader.events].map((event) => event.event)).not.toContain("resync");
  void hub.close();
});
