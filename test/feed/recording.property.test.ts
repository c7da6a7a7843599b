import { describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { connectionOf, receivedMs, recordedText } from "../../src/feed/replay/recorded-line.ts";
import { readNote } from "../../src/feed/replay/recording-note.ts";
import { readLines } from "../../src/feed/replay/text-lines.ts";
import { Pieces, writerInto } from "./recording-support.ts";

async function linesOf(bytes: Uint8Array): Promise<{ lines: string[]; damage: string | null }> {
  const faults = { damage: null as string | null };
  const lines: string[] = [];
  for await (const some of readLines(bytes, faults)) lines.push(...some);
  return { lines: lines.filter((line) => line !== ""), damage: faults.damage };
}

/** Texts that look like everything a recording's line could be taken for, and texts of any UTF-16. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.json().map((json) => json.replaceAll(",", ", ")),
  fc.constantFrom(
    "",
    "pong",
    "\n",
    "{\n}",
    '"quoted"',
    "# 1 {}",
    "1 {}",
    "\u0000",
    "\ufeff{}",
    "{}\r",
    "[\u2028]",
    "b'{}'",
    "{\ud800}",
  ),
  fc
    .array(fc.constantFrom("{", "[", '"', "\n", "\r", "\\", "#", " ", "1", "\ud83d", "\ude00", "é", "wss://x <-> 1"))
    .map((parts) => parts.join("")),
);
const connection = fc.option(fc.nat(2000));

describe("A recording", () => {
  test("gives every text back bit for bit, in order, each with its connection and a receive time that never goes back", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(connection, text, fc.boolean()), { maxLength: 40 }), async (messages) => {
        const output = new Pieces();
        const writer = writerInto(output);
        for (const [by, message, flushes] of messages) {
          expect(writer.message(by, message)).toBe(true);
          if (flushes) writer.flush();
        }
        writer.flush();
        const { lines, damage } = await linesOf(output.whole());
        expect(damage).toBeNull();
        expect(lines.map((line) => [connectionOf(line), recordedText(line)])).toEqual(
          messages.map(([by, message]) => [by, message]),
        );
        const times = lines.map((line) => receivedMs(line) ?? 0);
        expect(times).toEqual([...times].sort((a, b) => a - b));
        expect(Math.abs((times[0] ?? Date.now()) - Date.now())).toBeLessThan(60_000);
      }),
      { numRuns: 300 },
    );
  });

  test("never takes a message for a note, nor a note for a message, whatever is in them", () => {
    fc.assert(
      fc.property(text, fc.nat(9), (message, by) => {
        const output = new Pieces();
        const writer = writerInto(output);
        writer.message(null, message);
        writer.note({ note: "sent", connection: by, text: message });
        writer.flush();
        const [first = "", second = "", ...more] = gunzipSync(output.whole()).toString().split("\n");
        expect(more).toEqual([""]);
        expect([readNote(first), recordedText(first)]).toEqual([null, message]);
        expect(recordedText(second)).toBeNull();
        expect(readNote(second)).toEqual({ note: "sent", connection: by, text: message });
      }),
      { numRuns: 300 },
    );
  });

  test("cut anywhere it is read up to the cut: whole pieces whole, and of the last what came before", async () => {
    const output = new Pieces();
    const writer = writerInto(output);
    const messages = Array.from({ length: 400 }, (_, at) => `{"at":${at},"more":"${"x".repeat(at % 97)}"}`);
    for (const [at, message] of messages.entries()) {
      writer.message(null, message);
      if (at % 40 === 39) writer.flush();
    }
    const whole = output.whole();
    const ends = output.pieces.map((_, at) => output.pieces.slice(0, at + 1).reduce((sum, one) => sum + one.length, 0));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: whole.length }), async (length) => {
        const { lines, damage } = await linesOf(whole.subarray(0, length));
        const pieces = ends.filter((end) => end <= length).length;
        const texts = lines.map(recordedText);
        expect(texts.length).toBeGreaterThanOrEqual(pieces * 40);
        expect(texts.slice(0, pieces * 40)).toEqual(messages.slice(0, pieces * 40));
        // Only the line at the cut may be a part of itself.
        expect(texts.slice(0, -1)).toEqual(messages.slice(0, Math.max(0, texts.length - 1)));
        expect(damage === null).toBe(ends.includes(length));
      }),
      { numRuns: 200 },
    );
  });
});
