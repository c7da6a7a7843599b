import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { platform } from "#platform";
import type { Files } from "../../../src/core/env.ts";
import { FabricError } from "../../../src/core/errors.ts";
import { openSimExchange } from "../../../src/feed/sim/sim-exchange.ts";
import { readSimState, resumeSimState } from "../../../src/feed/sim/sim-state.ts";
import { DEFAULT_START_MS } from "../../../src/feed/sim/truth.ts";
import { eventually } from "../../support/eventually.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { closeBenches, connect, depsWith, MARKET, openBench, SteppedClock, warnings } from "./exchange-bench.ts";

const IDENTITY = { ...MARKET, speed: 60 };

afterEach(closeBenches);

describe("the exchange's state", () => {
  test("lets a restarted exchange go on where its clock would be: the market went on while it was dead", async () => {
    using folder = tempFolder();
    const clock = new SteppedClock();
    const source = { ...MARKET, folder: folder.path };
    const first = openBench({ source }, clock);
    const before = await connect(first.url, "/ws/btcusdt@trade");
    clock.step(10_000);
    await before.ask("LIST_SUBSCRIPTIONS");
    await first.exchange.stop();
    clock.step(50_000);
    const second = openBench({ source }, clock);
    expect(second.exchange.exchangeTimeMs()).toBe(DEFAULT_START_MS + 60_000 * 60);
    const after = await connect(second.url, "/ws/btcusdt@trade");
    clock.step(60_000);
    await after.ask("LIST_SUBSCRIPTIONS");
    const [last, next] = [before.trades().at(-1), after.trades()[0]];
    expect((next?.t ?? 0) - (last?.t ?? 0)).toBeGreaterThan(2000);
  });

  test("lets the market pause while all of `up` was down, and go on from the newest time that was shown", async () => {
    using folder = tempFolder();
    const clock = new SteppedClock();
    const source = { ...MARKET, folder: folder.path };
    expect(resumeSimState(folder.path, IDENTITY, depsWith(clock))).toBeNull();
    const first = openBench({ source }, clock);
    clock.step(10_000);
    await first.exchange.stop();
    clock.step(3_600_000);
    const resumed = resumeSimState(folder.path, IDENTITY, depsWith(clock));
    expect(resumed).toBe(first.exchange.exchangeTimeMs());
    const second = openBench({ source }, clock);
    expect(second.exchange.exchangeTimeMs()).toBe(resumed ?? 0);
    clock.step(1000);
    await eventually(() => second.exchange.exchangeTimeMs() === (resumed ?? 0) + 60_000);
  });

  test("is never behind what clients were shown, whenever the process is killed", async () => {
    using folder = tempFolder();
    for (let round = 0; round < 3; round++) {
      const script = new URL("./fixtures/exchange-process.ts", import.meta.url).pathname;
      const child = Bun.spawn([process.execPath, script, folder.path, "60"], { stdout: "pipe", stderr: "inherit" });
      await Bun.sleep(500 + 90 * round);
      child.kill("SIGKILL");
      const shown = (await new Response(child.stdout).text()).trim().split("\n").map(Number);
      await child.exited;
      const state = readSimState(folder.path, platform.files);
      expect(state?.newestExchangeMs).toBeGreaterThanOrEqual(Math.max(...shown));
      expect(state?.newestExchangeMs).toBeLessThan(Math.max(...shown) + 60 * 2000);
      const resumed = resumeSimState(folder.path, IDENTITY, platform);
      expect(resumed).toBe(state?.newestExchangeMs ?? 0);
    }
  }, 30_000);

  test("does not let the market go back where the wall clock was set back", async () => {
    using folder = tempFolder();
    const clock = new SteppedClock();
    const source = { ...MARKET, folder: folder.path };
    const first = openBench({ source }, clock);
    clock.step(10_000);
    await first.exchange.stop();
    clock.step(-3_600_000);
    const second = openBench({ source }, clock);
    expect(second.exchange.exchangeTimeMs()).toBe(DEFAULT_START_MS + 600_000);
  });

  const others = [
    ["seed", { seed: 2 }, /with seed 2: .* holds a market with seed 1/],
    ["speed", { speed: 120 }, /with speed 120: .* with speed 60/],
    ["start", { startMs: DEFAULT_START_MS + 60_000 }, /with start 2025-01-01T00:01:00.000Z/],
    ["symbols", { symbols: ["BTCUSDT"] }, /with symbols BTCUSDT: .* with symbols BTCUSDT,ETHUSDT/],
  ] as const;
  for (const [what, change, message] of others) {
    test(`refuses another ${what} for the same folder and names the remedy`, async () => {
      using folder = tempFolder();
      const bench = openBench({ source: { ...MARKET, folder: folder.path } });
      await bench.exchange.stop();
      const kept = readFileSync(folder.join("sim.json"), "utf8");
      const wanted = { ...IDENTITY, ...change };
      const open = () => openBench({ speed: wanted.speed, source: { ...wanted, folder: folder.path } });
      for (const refused of [open, () => resumeSimState(folder.path, wanted, platform)]) {
        expect(codeOf(refused)).toBe("refused");
        expect(refused).toThrow(message);
        expect(refused).toThrow(/ask for that, or use another data folder/);
      }
      expect(readFileSync(folder.join("sim.json"), "utf8")).toBe(kept);
    });
  }

  test("does not mind another order of the symbols", async () => {
    using folder = tempFolder();
    await openBench({ source: { ...MARKET, folder: folder.path } }).exchange.stop();
    openBench({ source: { ...MARKET, symbols: MARKET.symbols.toReversed(), folder: folder.path } });
  });

  test("says what to do about a state that cannot be read", () => {
    using folder = tempFolder();
    for (const text of ["", "null", "{}", '{"version":2}', '{"version":1,"seed":1}']) {
      writeFileSync(folder.join("sim.json"), text);
      const open = () => openBench({ source: { ...MARKET, folder: folder.path } });
      expect(codeOf(open)).toBe("config");
      expect(open).toThrow(/sim.json is not a version 1 state; remove it/);
    }
  });

  test("does not stop the market where the disk stops taking it: failures are counted and said", async () => {
    using folder = tempFolder();
    const clock = new SteppedClock();
    let broken = false;
    const files: Files = {
      ...platform.files,
      writeDurably(path, data) {
        if (broken) throw new FabricError("io", "Cannot write: the disk is full");
        platform.files.writeDurably(path, data);
      },
    };
    const exchange = openSimExchange(
      { host: "127.0.0.1", port: 0, speed: 60, source: { ...MARKET, folder: folder.path } },
      { ...depsWith(clock), files },
    );
    broken = true;
    clock.step(1000);
    await eventually(() => exchange.exchangeTimeMs() === DEFAULT_START_MS + 60_000);
    expect(exchange.counters()["state.failed.total"]).toBeGreaterThan(0);
    expect(warnings).toContain("Cannot keep the exchange's state");
    await exchange.stop();
  });

  test("tells at start that a folder cannot be written or a port is taken", async () => {
    using folder = tempFolder();
    writeFileSync(folder.join("file"), "");
    expect(codeOf(() => openBench({ source: { ...MARKET, folder: folder.join("file", "below") } }))).toBe("io");
    const { exchange } = openBench();
    expect(codeOf(() => openBench({ port: exchange.port }))).toBe("unavailable");
    for (const speed of [0, 0.01, 20_000, Number.NaN]) expect(codeOf(() => openBench({ speed }))).toBe("usage");
  });
});

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof FabricError) return error.code;
    throw error;
  }
  return "no error";
}
