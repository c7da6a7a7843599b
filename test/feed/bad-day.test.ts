import { expect, test } from "bun:test";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { badDayTable, runBadDay } from "./bad-day.ts";

// A small part of test/long/bad-day.ts: each fault that loses or delays something, some minutes of it at every venue.
const FAULTS = [
  "drop=0.02,malformed=0.01,repeat=0.05,reorder=0.05",
  "late=0.01,id-jump=0.005",
  "cut=0.4,rest-limited=0.05",
];

test.each(FAULTS)(
  "%s: every minute of every venue is right, revised to be right, or told as a gap",
  async (faults) => {
    const runs = VENUES.map((venue) => {
      const slower = venue.id === "kraken" ? 2 : 1;
      return runBadDay({ venue, faults, minutes: 4 / slower, speed: 60 / slower, seed: 7 });
    });
    const outcomes = await Promise.all(runs);
    console.log(badDayTable(outcomes).join("\n"));
    expect(outcomes.flatMap(({ wish, wrong }) => wrong.map((text) => `${wish.venue.id} ${text}`))).toEqual([]);
    for (const { wish, equal, revised, behind, gap } of outcomes) {
      expect(equal + revised + behind + gap).toBe(2 * wish.minutes);
      expect(equal + revised).toBeGreaterThan(0);
    }
  },
  60_000,
);
