import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { platform } from "#platform";
import { journalPath } from "../../src/execution/journal.ts";
import { PaperBroker } from "../../src/execution/paper-broker.ts";
import { BUILTIN_STRATEGIES } from "../../src/strategy/builtins.ts";
import type { Strategy } from "../../src/strategy/contract.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { Life } from "./support/crash.ts";
import { deliveryAfter, MemoryMarket, randomRows } from "./support/market.ts";
import { bindingOf, hostOf, journalContents, journalIn, runnerOf } from "./support/runner.ts";

const CASES: readonly (readonly [string, string])[] = [
  ["sma-cross", "fast=2,slow=4"],
  ["rsi-reversion", "period=3,oversold=45,overbought=55"],
  ["channel-breakout", "entry=4,exit=3"],
];
const FRAMES = ["1m", "5m"] as const;
const MINUTES = 90;
const SYMBOLS = ["BTCUSDT", "ETHUSDT"];

describe("A runner killed at any step and started again", () => {
  for (const [name, params] of CASES) {
    for (const frame of FRAMES) {
      test(`Invariant 5 (decide once, intent before order): ${name} on ${frame} ends with the orders, fills, positions and digests of an undisturbed run`, async () => {
        const strategy = withFrame(name, frame);
        await fc.assert(
          fc.asyncProperty(
            fc.integer(),
            fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }),
            async (seed, lives) => {
              const market = new MemoryMarket(randomRows(seed, SYMBOLS, MINUTES));
              using calm = tempFolder();
              using rough = tempFolder();
              await live(calm.path, strategy, params, market, Number.POSITIVE_INFINITY);
              for (const steps of lives) await live(rough.path, strategy, params, market, steps);
              await live(rough.path, strategy, params, market, Number.POSITIVE_INFINITY);
              const path = (folder: string) => journalPath(folder, "tester");
              expect(journalContents(path(rough.path))).toEqual(journalContents(path(calm.path)));
            },
          ),
          { numRuns: 6 },
        );
      }, 120_000);
    }
  }
});

test("Invariant 5 (decide once, intent before order): killed at each single step in turn, from making the journal to the last order, a runner ends as if it had not been", async () => {
  const market = new MemoryMarket(randomRows(11, SYMBOLS, 17));
  const strategy = withFrame("sma-cross", "1m");
  using calm = tempFolder();
  await live(calm.path, strategy, "fast=1,slow=2", market, Number.POSITIVE_INFINITY);
  const expected = journalContents(journalPath(calm.path, "tester"));
  expect((expected as { fills: unknown[] }).fills.length).toBeGreaterThan(3);
  let killed = 0;
  for (let steps = 1, ended = false; !ended; steps++) {
    using rough = tempFolder();
    ended = await live(rough.path, strategy, "fast=1,slow=2", market, steps);
    if (!ended) killed++;
    await live(rough.path, strategy, "fast=1,slow=2", market, Number.POSITIVE_INFINITY);
    expect(journalContents(journalPath(rough.path, "tester"))).toEqual(expected);
  }
  expect(killed).toBeGreaterThan(100);
}, 120_000);

test("The markets of these tests make every built-in strategy trade, so that equal journals mean something", async () => {
  for (const [name, params] of CASES) {
    using folder = tempFolder();
    const market = new MemoryMarket(randomRows(7, SYMBOLS, MINUTES));
    await live(folder.path, withFrame(name, "1m"), params, market, Number.POSITIVE_INFINITY);
    const contents = journalContents(journalPath(folder.path, "tester")) as { fills: unknown[]; cursors: unknown[] };
    expect(contents.fills.length).toBeGreaterThan(3);
    expect(contents.cursors.length).toBe(2);
  }
});

function withFrame(name: string, timeframe: "1m" | "5m"): Strategy {
  const strategy = BUILTIN_STRATEGIES.get(name);
  if (!strategy) throw new Error(`no built-in ${name}`);
  return { ...strategy, timeframe };
}

/** One life of a runner over the whole market: true where it ended by itself, false where it died at its n-th step. */
async function live(
  folder: string,
  strategy: Strategy,
  params: string,
  market: MemoryMarket,
  steps: number,
): Promise<boolean> {
  const life = new Life(steps);
  const host = hostOf(strategy, params);
  try {
    const journal = journalIn(folder, bindingOf(host), life.openSqlite(platform.openSqlite));
    const broker = life.broker(new PaperBroker());
    const core = runnerOf({ journal, maker: host, market, broker });
    const cursor = await core.start(20);
    for (const { event, cursor: after } of deliveryAfter(market.rows, cursor)) await core.handle(event, after);
    expect(core.status()).toEqual({ state: "running", reason: null });
    await core.close();
    return true;
  } catch (error) {
    if (!life.dead) throw error;
    return false;
  } finally {
    life.end();
  }
}
