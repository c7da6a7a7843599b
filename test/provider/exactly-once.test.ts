import { expect, test } from "bun:test";
import fc from "fast-check";
import type { DeliveryEvent } from "../../src/core/delivery.ts";
import { EMPTY_DIGEST, extendDigest } from "../../src/core/digest.ts";
import { expectedDelivery } from "./sim/expected-delivery.ts";
import { type Played, play, type Script, scripts } from "./sim/script.ts";

const RUNS = Number(process.env.FABRIC_SIM_RUNS ?? 1_500);
const LIMIT_MS = 240_000;

test(
  "Invariant 4 (exactly once, in order, per symbol): what a consumer takes in over all its lives is the store's delivery, whatever the wire, the reader and the deaths on either side do",
  async () => {
    const seen = { lives: 0, fast: 0, fallback: 0, holes: 0, gaps: 0, duplicates: 0 };
    await fc.assert(
      fc.asyncProperty(scripts, async (script) => {
        const played = await play(script);
        compare(script, played);
        seen.lives += played.lives;
        seen.fast += played.counters["fast.delivered.total"] ?? 0;
        seen.fallback += played.counters["fallback.delivered.total"] ?? 0;
        seen.holes += played.counters["holes.total"] ?? 0;
        seen.gaps += played.counters["gaps.total"] ?? 0;
        seen.duplicates += played.counters["duplicates.total"] ?? 0;
      }),
      { numRuns: RUNS },
    );
    // The worlds must have been bad enough to prove anything.
    for (const [what, count] of Object.entries(seen)) expect(`${what} ${count > RUNS / 10}`).toBe(`${what} true`);
  },
  LIMIT_MS,
);

function compare(script: Script, played: Played): void {
  for (const symbol of played.followed) {
    const expected =
      played.startSeq === null ? [] : expectedDelivery(played.rows, symbol, played.startSeq, script.includePartial);
    const taken = played.taken.get(symbol) ?? [];
    expect(taken.map(label)).toEqual(expected.map(label));
    expect(taken).toEqual([...expected]);
    const digest = digestOf(expected);
    expect(played.cursor?.symbols.get(symbol)?.digest ?? EMPTY_DIGEST).toBe(digest);
  }
  if (script.minutes > script.marketLateMinutes + 2) expect(played.startSeq).not.toBeNull();
  // The heartbeat's own timer is the only one that outlives the consumer.
  expect(played.timersLeft).toBe(1);
}

function label(event: DeliveryEvent): string {
  return event.type === "candle"
    ? `#${event.candle.commitSeq} ${event.candle.openTime}`
    : `gap ${event.fromOpenTime} ${event.toOpenTime}`;
}

function digestOf(events: readonly DeliveryEvent[]): string {
  return events.reduce(
    (digest, event) => (event.type === "candle" ? extendDigest(digest, event.candle) : digest),
    EMPTY_DIGEST,
  );
}
