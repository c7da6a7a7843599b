import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BufferBatch } from "../../src/zmq/frame-batch.ts";
import { FrameGather } from "../../src/zmq/frame-gather.ts";
import { frameKind } from "../../src/zmq/frame-kind.ts";
import { MAX_WAITING_STATUSES, StatusRing } from "../../src/zmq/status-ring.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const AREA_BYTES = 64 * 1024;

class Rig {
  readonly area = new Uint8Array(AREA_BYTES);
  readonly gather: FrameGather;

  constructor(conflate: "topic" | "off", bufferMessages: number, bufferBytes: number) {
    this.gather = new FrameGather(this.area, { conflate, keyByNode: ["m"], bufferMessages, bufferBytes });
  }

  keep(frame: string) {
    const bytes = encoder.encode(frame);
    this.area.set(bytes, this.gather.used);
    return this.gather.keep(bytes.length);
  }

  take(): string[] {
    const packed = this.gather.take();
    if (!packed) return [];
    const batch = new BufferBatch(packed);
    return Array.from({ length: batch.length }, (_, at) => decoder.decode(batch.frame(at)));
  }
}

type Action = { kind: "frame"; key: number; size: number } | { kind: "take" } | { kind: "done" };
const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("frame" as const), key: fc.nat(5), size: fc.nat(200) }) },
    { weight: 2, arbitrary: fc.constant({ kind: "take" as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: "done" as const }) },
  ),
  { maxLength: 300 },
);

describe("gathering frames", () => {
  test("keeps order and content, and with what is away never passes its bounds, whatever comes", () => {
    fc.assert(
      fc.property(
        actions,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 300, max: 2000 }),
        (steps, messages, bytes) => {
          const rig = new Rig("off", messages, bytes);
          const kept: string[] = [];
          const taken: string[] = [];
          const away: string[][] = [];
          let n = 0;
          for (const step of steps) {
            if (step.kind === "frame") {
              const frame = `${step.key} ${n++} ${"z".repeat(step.size)}`;
              if (rig.keep(frame) === "kept") kept.push(frame);
            } else if (step.kind === "take") {
              const batch = rig.take();
              if (batch.length > 0) away.push(batch);
              taken.push(...batch);
            } else if (away.shift()) rig.gather.acknowledge(1);
            const outstanding = [...away.flat(), ...kept.slice(taken.length)];
            expect(outstanding.length).toBeLessThanOrEqual(messages);
            expect(outstanding.reduce((sum, frame) => sum + frame.length, 0)).toBeLessThanOrEqual(bytes);
          }
          taken.push(...rig.take());
          expect(taken).toEqual(kept);
        },
      ),
    );
  });

  test("by topic, gives the newest of each key and never an older one after it", () => {
    fc.assert(
      fc.property(actions, (steps) => {
        const rig = new Rig("topic", 1000, AREA_BYTES);
        const newest = new Map<string, string>();
        const given = new Map<string, string>();
        let n = 0;
        for (const step of [...steps, { kind: "take" as const }]) {
          if (step.kind === "frame") {
            const key = step.key % 2 === 0 ? `t${step.key} {}` : `m {"node":"n${step.key}"}`;
            const frame = `${key} ${n++}`;
            rig.keep(frame);
            newest.set(key, frame);
          } else if (step.kind === "take") {
            for (const frame of rig.take()) given.set(frame.slice(0, frame.lastIndexOf(" ")), frame);
            rig.gather.acknowledge(1);
            expect([...given].sort()).toEqual([...newest].sort());
          }
        }
      }),
    );
  });

  test("by topic, a known key is renewed at the bound while a new key is dropped", () => {
    const rig = new Rig("topic", 2, 1000);
    expect(rig.keep("a 1")).toBe("kept");
    expect(rig.keep("b 1")).toBe("kept");
    expect(rig.keep("c 1")).toBe("dropped");
    expect(rig.keep("a 2")).toBe("replaced");
    expect(rig.take()).toEqual(["b 1", "a 2"]);
  });

  test("one frame larger than the byte bound still passes where nothing else waits", () => {
    const rig = new Rig("off", 10, 10);
    expect(rig.keep(`a ${"z".repeat(100)}`)).toBe("kept");
    expect(rig.keep("a b")).toBe("dropped");
    expect(rig.take().length).toBe(1);
    rig.gather.acknowledge(1);
    expect(rig.keep("a b")).toBe("kept");
  });
});

describe("frames", () => {
  test("are good with a topic, a space and any body, and named for what is wrong otherwise", () => {
    const kind = (text: string, parts = 1) => frameKind(encoder.encode(`..${text} `), 2, text.length, parts);
    expect(kind("a b")).toBe("good");
    expect(kind("a ")).toBe("good");
    expect(kind("a")).toBe("malformed");
    expect(kind(" a")).toBe("malformed");
    expect(kind("")).toBe("empty");
    expect(kind("a b", 2)).toBe("malformed");
  });
});

describe("statuses", () => {
  test("wait in a ring whose oldest go at the bound, counted", () => {
    let lost = 0;
    const ring = new StatusRing(() => lost++);
    for (let n = 0; n < MAX_WAITING_STATUSES + 3; n++) ring.push({ type: "failed", reason: String(n) });
    const kept = ring.takeAll();
    expect(lost).toBe(3);
    expect(kept.length).toBe(MAX_WAITING_STATUSES);
    expect(kept[0]).toEqual({ type: "failed", reason: "3" });
  });

  test("report overflow at most once a second, with what was dropped since and in all", () => {
    const ring = new StatusRing(() => {});
    ring.messageDropped();
    expect(ring.reportOverflow(0)).toBe(-1);
    ring.messageDropped();
    ring.messageDropped();
    expect(ring.reportOverflow(400)).toBe(600);
    expect(ring.reportOverflow(1000)).toBe(-1);
    expect(ring.takeAll()).toEqual([
      { type: "overflow", dropped: 1, total: 1 },
      { type: "overflow", dropped: 2, total: 3 },
    ]);
  });
});
