import { VENUES } from "../../src/feed/venues/venues.ts";
import { BAD_DAYS, type BadDayOutcome, badDayTable, nameOf, runBadDay } from "../feed/bad-day.ts";

// The bad-day table: `bun test/long/bad-day.ts [MINUTES [SPEED [FAULT [VENUE [SEED]]]]]`, where FAULT and VENUE are parts of names.
// Each fault at each venue runs the node's feed and ingest for so many exchange minutes (30, at 60 times real speed), and every
// minute is held against the market's own list. Exits 1 where anything was silently wrong. About ten minutes in all.

const [minutes = "30", speed = "60", fault = "", venue = "", seed = "7"] = process.argv.slice(2);
const outcomes: BadDayOutcome[] = [];
for (const faults of BAD_DAYS.filter((name) => name.includes(fault))) {
  const venues = VENUES.filter(({ id }) => id.includes(venue));
  const runs = venues.map((one) => {
    // Kraken's REST answers one request a second of real time: what waits for it needs a slower market.
    const slower = one.id === "kraken" ? 3 : 1;
    return runBadDay({
      venue: one,
      faults,
      minutes: Math.ceil(Number(minutes) / slower),
      speed: Number(speed) / slower,
      seed: Number(seed),
    });
  });
  for (const outcome of await Promise.all(runs)) {
    outcomes.push(outcome);
    const { wish, equal, gap, revised, behind, wrong, struck } = outcome;
    console.log(
      `${nameOf(wish.faults)} at ${wish.venue.id}: ${equal} equal, ${gap} gap, ${revised} revised, ${behind} behind, ${wrong.length} wrong (${struck} strikes)`,
    );
    for (const text of wrong.slice(0, 6)) console.log(`    WRONG ${text}`);
    if (process.env.BAD_DAY_COUNTERS) console.log(`    ${JSON.stringify(outcome.counters)}`);
  }
}
console.log(`\n${badDayTable(outcomes).join("\n")}`);
const wrong = outcomes.reduce((sum, outcome) => sum + outcome.wrong.length, 0);
console.log(wrong === 0 ? "nothing was silently wrong" : `FAILED: ${wrong} minutes were silently wrong`);
process.exit(wrong === 0 ? 0 : 1);
