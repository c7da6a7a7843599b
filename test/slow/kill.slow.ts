import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { platform } from "#platform";
import { percentile } from "../../src/role/lifecycle/process-meter.ts";
import { readAdvertisement } from "../../src/role/lifecycle/advertisement.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import {
  againstTruth,
  againstUndisturbed,
  BUSY_STRATEGY,
  journalFacts,
  publishedThrough,
  rowsOf,
  storeRows,
  wallMsToClose,
} from "./support-kill.ts";
import { kill, Up } from "./support-up.ts";

// kill -9 of every node under `up`, many times, at random moments and right around the closing of minutes. Afterwards candles,
// digests, orders, fills and positions must be those of a market and a runner that nobody disturbed.
// FABRIC_KILL_SEED chooses the market and the moments; FABRIC_KILL_ROUNDS how often.

const SEED = Number(process.env.FABRIC_KILL_SEED ?? 11);
const ROUNDS = Number(process.env.FABRIC_KILL_ROUNDS ?? 3);
const CLOSES = 6 * ROUNDS;
const SPEED = 60;
const BACK_WITHIN_MS = 15_000;

const random = seeded(SEED);
const backAfterMs = new Map<string, number[]>();

test.skipIf(process.platform !== "linux")(
  "kill -9 of each node, again and again, changes no candle, no digest and no order",
  async () => {
    using folder = tempFolder();
    const data = folder.join("data");
    const busy = folder.join("busy.ts");
    writeFileSync(busy, BUSY_STRATEGY);
    const market = ["--seed", `${SEED}`, "--speed", `${SPEED}`, "--symbols", "BTCUSDT,ETHUSDT"];
    await using up = Up.start(data, [...market, "--strategy", "sma-cross", "--strategy", busy]);
    await eventually(() => journalFacts(data, "busy").cursors.length === 2, 20_000, "both symbols to be decided on");

    const nodes = ["sim", "market-data", "sma-cross", "busy", "scanner", "bridge"];
    for (let round = 0; round < ROUNDS; round++) for (const node of nodes) await killAndWait(up, [node], random() * 800);
    for (let round = 0; round < ROUNDS; round++) await killAndWait(up, nodes, random() * 1000);
    for (let close = 0; close < CLOSES; close++) await killAround(up, close % 2 === 0 ? ["market-data"] : ["market-data", "busy"]);

    const settledAt = publishedThrough(data) + 8;
    for (const runner of ["sma-cross", "busy"])
      await eventually(() => journalFacts(data, runner).throughSeq >= settledAt, BACK_WITHIN_MS, `${runner} to catch up`);
    const told = await digestsTold(up);
    up.signalGroup("SIGINT");
    expect(await up.ended).toBe(0);

    const { rows, gaps } = await storeRows(data);
    const orders = await rowsOf(["orders", "--json", "--data", data]);
    const differences = {
      candles: await againstTruth(rows, SEED),
      "sma-cross": await againstUndisturbed(data, "sma-cross", null, rows),
      busy: await againstUndisturbed(data, "busy", busy, rows),
      telemetry: told.filter(({ digest, chain }) => !chain(rows).includes(digest)).map(({ what }) => what),
      orders: twice(orders.map((order) => `${order.clientOrderId}`)),
    };
    report(up, rows.length, count(rows.map((row) => row.provenance)), orders.length, differences);
    expect(differences).toEqual({ candles: [], "sma-cross": [], busy: [], telemetry: [], orders: [] });
    expect(gaps).toBe(0);
    expect(orders.length).toBeGreaterThan(50);
  },
  600_000,
);
