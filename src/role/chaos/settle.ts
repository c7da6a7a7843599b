import { platform } from "#platform";
import { MINUTE_MS } from "../../core/time.ts";
import { writeHalt } from "../../execution/halt-switch.ts";
import { CONSUMERS, LIVE_RUNNER, RUNNERS, SYMBOLS } from "./cast.ts";
import { Ear } from "./ear.ts";
import type { CaughtUp } from "./evidence.ts";
import { activeOrders, decidedMinutes } from "./journals.ts";
import type { Play } from "./play.ts";

/** Everything has caught up this long after the last fault, or the run fails. */
export const CATCH_UP_WITHIN_MS = 45_000;
/** How far behind the exchange's clock what is caught up may be: two closed minutes and the one in progress. */
const BEHIND_MS = 3 * MINUTE_MS;
/** Health that is older than this says nothing of now. */
const FRESH_MS = 3000;
const LOOK_MS = 50;
/** With the exchange stopped, the consumers have had the last candles and said so within this. */
const STILL_WITHIN_MS = 10_000;
/** Telemetry comes once a second: what is heard this long after the last decision tells of it. */
const TOLD_AFTER_MS = 1500;
/** With the live runner halted, every order of its is final within this: look-ups back off by seconds. */
const FINAL_WITHIN_MS = 40_000;

/**
 * Waits until every node runs, speaks over its socket to a subscriber that came just now, and has what the exchange has closed, over
 * the fast rail. Everything here is asked from outside.
 */
export async function settle(play: Play, data: string, stop: AbortSignal): Promise<CaughtUp> {
  const startMs = platform.clock.monotonicMs();
  await using ear = await Ear.open(`${data}/run`, play.ports.market);
  for (;;) {
    const waitingFor = lagging(play, ear, data);
    const tookMs = Math.round(platform.clock.monotonicMs() - startMs);
    const boundMs = CATCH_UP_WITHIN_MS;
    if (waitingFor.length === 0) return { boundMs, tookMs, waitingFor };
    if (tookMs > boundMs || stop.aborted) return { boundMs, tookMs: null, waitingFor };
    await play.pause(LOOK_MS, stop);
  }
}

/** Halts the live runner, as `fabric halt` does, and waits until none of its orders is open or unknown. */
export async function haltTrading(play: Play, data: string, stop: AbortSignal): Promise<void> {
  const startMs = platform.clock.monotonicMs();
  writeHalt(platform.files, data, LIVE_RUNNER, { reason: "the end of chaos", at: platform.clock.nowMs() });
  while (platform.clock.monotonicMs() - startMs < FINAL_WITHIN_MS && !stop.aborted) {
    if (activeOrders(data, LIVE_RUNNER) === 0) return;
    await play.pause(LOOK_MS, stop);
  }
}

/** With the exchange stopped: waits until runners stand at the last candle and have told of it. */
export async function standStill(play: Play, data: string, stop: AbortSignal): Promise<void> {
  const startMs = platform.clock.monotonicMs();
  let sinceMs = startMs;
  let last = "";
  while (platform.clock.monotonicMs() - startMs < STILL_WITHIN_MS && !stop.aborted) {
    const now = JSON.stringify([
      ...play.ear.marketMinutes,
      ...RUNNERS.map((name) => [...(decidedMinutes(data, name) ?? [])]),
    ]);
    if (now !== last) sinceMs = platform.clock.monotonicMs();
    last = now;
    if (platform.clock.monotonicMs() - sinceMs > TOLD_AFTER_MS * 2) return;
    await play.pause(LOOK_MS, stop);
  }
}

function lagging(play: Play, ear: Ear, data: string): readonly string[] {
  const waiting: string[] = [];
  const nowMs = platform.clock.monotonicMs();
  for (const { name, pid } of play.actors) {
    const told = ear.health.get(name);
    if (pid === null) waiting.push(`${name} to run`);
    else if (told?.pid !== pid || nowMs - told.atMs > FRESH_MS) waiting.push(`${name} to be heard`);
    else if (told.state !== "running") waiting.push(`${name}, which is ${told.state} (${told.reason})`);
  }
  const exchangeMs = play.exchangeNowMs();
  if (exchangeMs === null) return [...waiting, "the exchange's clock"];
  const isBehind = (minute: number | undefined) => minute === undefined || minute + MINUTE_MS < exchangeMs - BEHIND_MS;
  if (SYMBOLS.some((symbol) => isBehind(ear.marketMinutes.get(symbol))))
    waiting.push("market-data to publish the newest minute");
  for (const name of RUNNERS) {
    const minutes = decidedMinutes(data, name);
    if (SYMBOLS.some((symbol) => isBehind(minutes?.get(symbol)))) waiting.push(`${name} to decide the newest minute`);
  }
  for (const name of CONSUMERS) {
    const rails = ear.rails.get(name) ?? [];
    const slow = rails.find(({ rail }) => rail !== "FAST");
    if (rails.length < SYMBOLS.length) waiting.push(`${name} to tell of its rails`);
    else if (slow) waiting.push(`${name}, whose ${slow.symbol} is ${slow.rail} (${slow.reason})`);
  }
  return waiting;
}
