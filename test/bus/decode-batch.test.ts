import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeBatch } from "../../src/bus/decode-batch.ts";
import { BufferBatch, packBatch } from "../../src/zmq/frame-batch.ts";

function batchOf(frames: readonly Uint8Array[]): BufferBatch {
  const bytes = Uint8Array.from(frames.flatMap((frame) => [...frame]));
  let end = 0;
  const ends = Uint32Array.from(frames, (frame) => {
    end += frame.length;
    return end;
  });
  return new BufferBatch(packBatch(bytes, ends, frames.length));
}

const topics = fc.stringMatching(/^[a-z.]{1,12}$/);
const asciiBodies = fc.string({ unit: "binary-ascii", maxLength: 40 });
const anyBodies = fc.string({ unit: "grapheme", maxLength: 20 });

for (const [kind, bodies] of [
  ["ASCII", asciiBodies],
  ["any", anyBodies],
] as const) {
  test(`topics and bodies of ${kind} text come back as sent, decoded together or apart`, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(topics, bodies), { minLength: 1, maxLength: 60 }), fc.boolean(), (pairs, apart) => {
        const encoder = new TextEncoder();
        const batch = batchOf(pairs.map(([topic, body]) => encoder.encode(`${topic} ${body}`)));
        const { messages, undecodable } = decodeBatch(batch, apart);
        expect(messages).toEqual(pairs.map(([topic, body]) => ({ topic, body })));
        expect(undecodable).toBe(0);
      }),
    );
  });
}

test("a frame that is not UTF-8 is left out and counted, its neighbours stay", () => {
  const encoder = new TextEncoder();
  const good = Array.from({ length: 20 }, (_, n) => encoder.encode(`t ${n}`));
  const bad = new Uint8Array([0x74, 0x20, 0xc3]);
  const { messages, undecodable } = decodeBatch(batchOf([...good.slice(0, 10), bad, ...good.slice(10)]), false);
  expect(messages.map(({ body }) => Number(body))).toEqual(Array.from({ length: 20 }, (_, n) => n));
  expect(undecodable).toBe(1);
});
