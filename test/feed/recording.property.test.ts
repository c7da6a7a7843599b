import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { FabricError } from "../../src/core/errors.ts";
import { ReceiveClock } from "../../src/feed/replay/receive-clock.ts";
import { connectionOf, receivedMs, recordedText } from "../../src/feed/replay/recorded-line.ts";
import { readNote } from "../../src/feed/replay/recording-note.ts";
import { readLines } from "../../src/feed/replay/text-lines.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { START } from "./live-support.ts";
import { Pieces, writerInto } from "./recording-support.ts";
import { replay } from "./support.ts";

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

  test("has receive times that never go back and are the wall clock's, whatever is done to that, except where it is set back by over a second", () => {
    // The wall clock is looked at once a second: what is done to it in between counts as one.
    const step = fc.record({
      passedMs: fc.integer({ min: 1000, max: 5000 }),
      setByMs: fc.integer({ min: -900, max: 5000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), fc.nat(100_000), (steps, backMs) => {
        let [wallMs, atMs] = [START, 0];
        const clock = new ReceiveClock({ nowMs: () => wallMs, monotonicMs: () => atMs });
        let lastNs = clock.nowNs();
        const pass = (passedMs: number, setByMs: number) => {
          atMs += passedMs;
          wallMs += passedMs + setByMs;
          const ns = clock.nowNs();
          expect(ns).toBeGreaterThanOrEqual(lastNs);
          lastNs = ns;
        };
        for (const { passedMs, setByMs } of steps) pass(passedMs, setByMs);
        // It stands still for as long as it is ahead of a clock that was set back.
        for (let more = 0; more < 60; more++) pass(1001, 0);
        expect(Math.abs(Number(lastNs / 1_000_000n) - wallMs)).toBeLessThanOrEqual(5);
        const before = lastNs;
        pass(1001, -2000 - backMs);
        expect(lastNs).toBe(before + 1_001_000_000n);
      }),
    );
  });

  test("damaged in any of its lines it is replayed or refused, never a fault of ours, and no minute that lacks a trade is whole", async () => {
    using folder = tempFolder();
    const good = recordedMinutes();
    const damage = fc.record({
      at: fc.nat(good.length - 1),
      how: fc.constantFrom("drop", "repeat", "swap", "cut", "change"),
      where: fc.nat(200),
      to: fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 6 }), async (damages) => {
        const lines = [...good];
        for (const { at, how, where, to } of damages) {
          const line = lines[at] ?? "";
          if (how === "drop") lines[at] = "";
          else if (how === "repeat") lines[at] = `${line}\n${line}`;
          else if (how === "swap") [lines[at], lines[at + 1]] = [lines[at + 1] ?? "", line];
          else if (how === "cut") lines[at] = line.slice(0, where);
          else lines[at] = line.slice(0, where % (line.length + 1)) + to + line.slice((where % (line.length + 1)) + 1);
        }
        const path = folder.join("a.txt");
        writeFileSync(path, lines.join("\n"));
        const done = await replay([path], ["BTCUSDT"]).catch((error: unknown) => error);
        if (done instanceof Error) {
          expect(done).toBeInstanceOf(FabricError);
          expect((done as FabricError).code).toBe("bad-data");
          return;
        }
        const { out } = done as Awaited<ReturnType<typeof replay>>;
        for (const { provenance, trades, firstTradeId, lastTradeId } of out.candles)
          if (provenance === "complete") expect(trades).toBe((lastTradeId ?? 0) - (firstTradeId ?? 0) + 1);
      }),
      { numRuns: 300 },
    );
  });
});

/** Five minutes of one symbol with an interruption, as fabric record writes them. */
function recordedMinutes(): readonly string[] {
  const output = new Pieces();
  const writer = writerInto(output);
  const trade = (id: number, timeMs: number) =>
    `{"stream":"btcusdt@trade","data":{"e":"trade","E":${timeMs},"s":"BTCUSDT","t":${id},"p":"100.5","q":"0.5","T":${timeMs},"m":false,"M":true}}`;
  writer.note({ note: "recording", format: 1, venue: "binance-spot", symbols: ["BTCUSDT"] });
  writer.note({ note: "opened", connection: 1, address: "wss://venue" });
  writer.note({ note: "connected", group: 1, symbols: ["BTCUSDT"] });
  writer.note({ note: "heard", group: 1, timeMs: START });
  for (let at = 0; at < 30; at++) {
    if (at === 14) writer.note({ note: "interrupted", group: 1, reason: "cut" });
    if (at === 14) writer.note({ note: "connected", group: 1, symbols: ["BTCUSDT"] });
    if (at === 20) writer.note({ note: "quiet", group: 1, timeMs: START + 20 * 10_000 });
    writer.message(null, trade(at < 14 ? at : at + 3, START + at * 10_000));
  }
  writer.note({ note: "ended" });
  writer.flush();
  return gunzipSync(output.whole()).toString().trimEnd().split("\n");
}
