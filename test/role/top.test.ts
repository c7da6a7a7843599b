import { expect, test } from "bun:test";
import { STALE_AFTER_MS } from "../../src/bridge/contract.ts";
import type { Clock } from "../../src/core/env.ts";
import { candleTopic, TOPICS } from "../../src/core/topic.ts";
import type { Advertisement } from "../../src/role/lifecycle/advertisement.ts";
import { nodeRows, railRows } from "../../src/role/top/node-rows.ts";
import { durationText, page } from "../../src/role/top/page.ts";
import { TelemetryView } from "../../src/role/top/telemetry-view.ts";

const START = 1_735_690_200_000;

/** A clock that stands still until told. */
function handClock(): Clock & { pass(ms: number): void } {
  let passed = 0;
  return {
    nowMs: () => START + passed,
    monotonicMs: () => passed,
    pass(ms) {
      passed += ms;
    },
  };
}

function health(node: string, state = "running", reason: string | null = null) {
  const body = {
    v: 1,
    node,
    epoch: "e",
    seq: 1,
    sentAt: START,
    role: "runner",
    pid: 7,
    version: "0.1.0",
    uptimeMs: 5000,
  };
  return frame(TOPICS.health + node, { ...body, state, reason, dataAgeMs: 1, mode: "paper", details: {} });
}

function metrics(node: string, seq: number, values: object, rails: readonly object[] = [], epoch = "e") {
  return frame(TOPICS.metrics, { v: 1, node, epoch, seq, sentAt: START + seq * 1000, role: "runner", values, rails });
}

function frame(topic: string, body: object) {
  return { topic, body: JSON.stringify(body) };
}

function rail(symbol: string, kind = "FAST") {
  return { symbol, rail: kind, reason: "so it is", ageMs: 100, lastOpenTime: START, delivered: 1, digest: "0" };
}

const LIVE: Advertisement = {
  node: "mute",
  role: "scanner",
  pid: 9,
  version: "0.1.0",
  epoch: "e",
  startedAt: START - 60_000,
  endpoints: [],
};

test("a node that falls silent is stale from the moment it was last heard, and its rails with it", () => {
  const clock = handClock();
  const view = new TelemetryView(clock);
  view.ingest(health("a"));
  view.ingest(metrics("a", 1, {}, [rail("BTCUSDT")]));
  const rows = () => nodeRows(view, [], { sinceMs: START, nowMs: clock.nowMs() });
  clock.pass(STALE_AFTER_MS);
  expect(rows()[0]).toMatchObject({ ageMs: STALE_AFTER_MS, staleSince: null });
  expect(railRows(view)[0]).toMatchObject({ stale: false, ageMs: 100 + STALE_AFTER_MS });
  clock.pass(1);
  expect(rows()[0]).toMatchObject({ ageMs: STALE_AFTER_MS + 1, staleSince: START });
  expect(railRows(view)[0]).toMatchObject({ stale: true });
  const lines = page({ folder: "/d", nowMs: clock.nowMs(), nodes: rows(), rails: railRows(view), warning: null }, 99);
  expect(lines.filter((line) => line.style === "grey").map((line) => line.text)).toEqual([
    expect.stringContaining("stale since 2025-01-01T00:10:00Z"),
    expect.stringContaining("stale node: so it is"),
  ]);
});

test("a node that lives and was never heard has a row of its own, stale once we listened long enough", () => {
  const clock = handClock();
  const view = new TelemetryView(clock);
  const rows = () => nodeRows(view, [LIVE], { sinceMs: START, nowMs: clock.nowMs() });
  expect(rows()[0]).toMatchObject({ node: "mute", state: null, ageMs: null, staleSince: null });
  clock.pass(STALE_AFTER_MS + 1);
  expect(rows()[0]).toMatchObject({ node: "mute", staleSince: START });
});

test("messages per second come from two snapshots of one epoch; a repeat changes nothing, a new life starts anew", () => {
  const view = new TelemetryView(handClock());
  const rate = () => view.metrics("a")?.value.sentPerSecond;
  view.ingest(metrics("a", 1, { "publish.sent.total": 10 }));
  expect(rate()).toBeNull();
  view.ingest(metrics("a", 3, { "publish.sent.total": 25 }));
  expect(rate()).toBe(7.5);
  view.ingest(metrics("a", 3, { "publish.sent.total": 25 }));
  expect(rate()).toBe(7.5);
  view.ingest(metrics("a", 4, { "publish.sent.total": 1 }, [], "next"));
  expect(rate()).toBeNull();
});

test("drops of every kind are one figure, and what is no telemetry is counted and skipped", () => {
  const view = new TelemetryView(handClock());
  view.ingest(health("a"));
  view.ingest(metrics("a", 1, { "inbox.dropped.total": 2, "malformed.total": 3, "polls.total": 99 }));
  expect(nodeRows(view, [], { sinceMs: START, nowMs: START })[0]?.drops).toBe(5);
  view.ingest({ topic: TOPICS.metrics, body: "garbage" });
  view.ingest(frame(`${TOPICS.health}other`, { v: 1, node: "a" }));
  view.ingest({ ...health("a"), topic: `${TOPICS.health}b` });
  view.ingest({ ...health("a"), topic: candleTopic("BTCUSDT") });
  expect(view.malformed).toBe(4);
  expect(view.healths()).toHaveLength(1);
});

test("rails in trouble come first, and a page that is too long says what it left out", () => {
  const view = new TelemetryView(handClock());
  view.ingest(health("a", "halted", "the disk is full"));
  view.ingest(metrics("a", 1, {}, [...many(40), rail("ZZZUSDT", "STALE"), rail("YYYUSDT", "FALLBACK")]));
  const facts = {
    folder: "/d",
    nowMs: START,
    nodes: nodeRows(view, [], { sinceMs: START, nowMs: START }),
    rails: railRows(view),
  };
  const lines = page({ ...facts, warning: "something" }, 24);
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(lines.filter((line) => line.style === "bad").map((line) => line.text.split(/ +/)[0])).toEqual(["a", "a"]);
  expect(lines.map((line) => line.text).join("\n")).toMatch(/YYYUSDT +FALLBACK[^\n]*\n[^\n]*ZZZUSDT +STALE[^\n]*\n/);
  expect(lines.at(-2)?.text).toMatch(/^… and (\d+) more rails, \1 of them FAST$/);
  expect(lines.at(-1)?.text).toBe("warning: something");
});

test("what a node says cannot give orders to the terminal", () => {
  const view = new TelemetryView(handClock());
  view.ingest(health("a", "failed", "\u001b[2Jgone\nnext"));
  const nodes = nodeRows(view, [], { sinceMs: START, nowMs: START });
  const lines = page({ folder: "/d", nowMs: START, nodes, rails: [], warning: null }, 99);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
  expect(lines.filter((line) => /[\u0000-\u001f]/.test(line.text))).toEqual([]);
});

test("durations are short at every size", () => {
  const told = [null, 0, 400, 9949, 9950, 59_499, 61_000, 3_600_000, 90_061_000].map(durationText);
  expect(told).toEqual(["-", "0.0s", "0.4s", "9.9s", "10s", "59s", "1m01s", "1h00m", "1d01h"]);
});

function many(count: number) {
  return Array.from({ length: count }, (_, at) => rail(`S${at}`));
}
