import { describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { platform } from "#platform";
import type { Files } from "../../src/core/env.ts";
import { FabricError } from "../../src/core/errors.ts";
import { HaltSwitch, readHalts, removeHalt, writeHalt } from "../../src/execution/halt-switch.ts";
import { journalPath } from "../../src/execution/journal.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { startedSession, statuses, trader } from "./support/live-session.ts";
import { candle, deliveryAfter, MemoryMarket } from "./support/market.ts";
import { bindingOf, hostOf, journalIn, runnerOf } from "./support/runner.ts";
import { Venue } from "./support/venue.ts";

const { files } = platform;

describe("The kill switch", () => {
  test("halts one runner, or all, with its reason, until it is taken back", () => {
    using folder = tempFolder();
    const one = new HaltSwitch(files, folder.path, "one");
    const other = new HaltSwitch(files, folder.path, "other");
    const both = () => [one.now(), other.now()];
    expect(both()).toEqual([null, null]);
    writeHalt(files, folder.path, "one", { reason: "odd fills", at: 7 });
    expect(both()).toEqual(["halted: odd fills", null]);
    writeHalt(files, folder.path, null, { reason: null, at: 8 });
    expect(both()).toEqual(["halted: no reason given", "halted: no reason given"]);
    expect([...readHalts(files, folder.path)]).toEqual([
      [null, { reason: null, at: 8 }],
      ["one", { reason: "odd fills", at: 7 }],
    ]);
    expect(removeHalt(files, folder.path, null)).toBe(true);
    expect(both()).toEqual(["halted: odd fills", null]);
    expect([removeHalt(files, folder.path, "one"), removeHalt(files, folder.path, "one")]).toEqual([true, false]);
    expect(both()).toEqual([null, null]);
  });

  test("halts where its file cannot be read, says nothing, or cannot even be looked at", () => {
    using folder = tempFolder();
    const halt = new HaltSwitch(files, folder.path, "one");
    files.makeFolder(folder.join("halt"));
    for (const text of ["", "{", "null", "7", '{"reason":7}']) {
      writeFileSync(folder.join("halt", "one.json"), text);
      expect(halt.now()).toBe("halted: no reason given");
    }
    const blind: Files = {
      ...files,
      stat: () => {
        throw new FabricError("io", "Cannot look at it: input/output error");
      },
    };
    expect(new HaltSwitch(blind, folder.path, "two").now()).toContain("cannot tell whether it is, for safety");
  });

  test("is written whole, for its owner alone, and an overlong reason is cut", () => {
    using folder = tempFolder();
    writeHalt(files, folder.path, "one", { reason: "x".repeat(500), at: 1 });
    expect(new HaltSwitch(files, folder.path, "one").now()).toBe(`halted: ${"x".repeat(200)}`);
    chmodSync(folder.join("halt"), 0o700);
    expect(files.list(folder.join("halt"))).toEqual(["one.json"]);
  });
});

describe("A halted runner", () => {
  test("journals its decisions as rejected with the reason and sends nothing, while candles, fills and telemetry go on", async () => {
    using folder = tempFolder();
    let reason: string | null = null;
    const rows = Array.from({ length: 10 }, (_, minute) => candle("BTCUSDT", minute));
    const host = hostOf(trader([1, 2, 3, 4]));
    const core = runnerOf({
      journal: journalIn(folder.path, bindingOf(host)),
      maker: host,
      market: new MemoryMarket(rows),
      halted: () => reason,
    });
    for (const { event, cursor } of deliveryAfter(rows, await core.start(0))) {
      const minute = event.type === "candle" ? (event.candle.openTime - (rows[0]?.openTime ?? 0)) / 60_000 : 0;
      reason = minute === 2 || minute === 3 ? "halted: test" : null;
      await core.handle(event, cursor);
      if (minute === 3) {
        expect(core.status()).toEqual({ state: "halted", reason: "halted: test; orders that are open stay open" });
        expect(core.trouble).toBeNull();
        // The order of before the halt was open, and filled.
        expect(core.positions()[0]?.quantity).toBe("1");
      }
    }
    expect(core.status().state).toBe("running");
    expect(statuses(folder.path)).toEqual(["filled", "rejected", "rejected", "filled"]);
    expect(core.cursor().symbols.get("BTCUSDT")?.delivered).toBe(10);
    expect(core.counters()["orders.refused.halted.total"]).toBe(2);
    await core.close();
    const database = platform.openSqlite(journalPath(folder.path, "tester"), { readOnly: true });
    const rejected = database.prepare("SELECT reason, refusal FROM intent WHERE status = 'rejected'").all();
    database.close();
    expect(rejected.map((row) => [row.reason, row.refusal])).toEqual([
      ["halted: test", "halted"],
      ["halted: test", "halted"],
    ]);
  });

  test("does not send what was decided before the halt and waits for the venue: it is rejected, not kept for later", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["busy"];
    let reason: string | null = null;
    const strategy = trader([1]);
    const parts = { folder: folder.path, broker: venue, strategy, halted: () => reason };
    const { core, upTo, time } = await startedSession(parts);
    await upTo(1);
    reason = "halted: enough";
    await time.by(10_000);
    expect([statuses(folder.path), venue.submits]).toEqual([["rejected"], 1]);
    reason = null;
    await time.by(10_000);
    expect([venue.submits, core.counters()["orders.refused.halted.total"]]).toEqual([1, 1]);
    await core.close();
  });

  test("still looks up what is open at the venue: its fills count", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["ack-lost"];
    let reason: string | null = null;
    const parts = { folder: folder.path, broker: venue, strategy: trader([1]), halted: () => reason };
    const { core, upTo, time } = await startedSession(parts);
    await upTo(1);
    reason = "halted: enough";
    await time.by(1000);
    expect([statuses(folder.path), core.positions()[0]?.quantity]).toEqual([["filled"], "1"]);
    await core.close();
  });

  test("stays halted over a restart, and starts halted where it was never there before", async () => {
    using folder = tempFolder();
    writeHalt(files, folder.path, "tester", { reason: "before it was born", at: 1 });
    const halted = () => new HaltSwitch(files, folder.path, "tester").now();
    const venue = new Venue();
    for (const minute of [2, 4]) {
      const exchange = { nowMs: null };
      const { core, upTo } = await startedSession({
        folder: folder.path,
        broker: venue,
        strategy: trader([1, 3]),
        halted,
        exchange,
      });
      await upTo(minute);
      expect(core.status().reason).toContain("halted: before it was born");
      await core.close();
    }
    expect([venue.submits, statuses(folder.path)]).toEqual([0, ["rejected", "rejected"]]);
  });
});
