import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { faults, fullMinutes, liveFeed, runLive } from "./live-support.ts";

describe("An exchange that stands still", () => {
  test("and comes back does not yield one wrong candle, since quiet minutes rest on its answers and not on our clock", async () => {
    const child = Bun.spawn([process.execPath, `${import.meta.dir}/fixtures/sim-process.ts`, "0", "240"], {
      stdout: "pipe",
      stderr: "inherit",
    });
    try {
      const { value } = await child.stdout.getReader().read();
      const port = Number(new TextDecoder().decode(value).trim());
      await using run = runLive(liveFeed(port));
      for (const stoppedMs of [300, 900, 1700, 60, 500]) {
        const before = fullMinutes(run.out);
        await eventually(() => fullMinutes(run.out) > before, 20_000, "candles");
        child.kill("SIGSTOP");
        await new Promise((resolve) => setTimeout(resolve, stoppedMs));
        child.kill("SIGCONT");
      }
      const before = fullMinutes(run.out);
      await eventually(() => fullMinutes(run.out) >= before + 8, 20_000, "candles after the last stop");
      expect(faults(run.out)).toEqual([]);
      expect(run.out.revised).toEqual([]);
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
  }, 60_000);

  test("for longer than its answers may take is left, and caught up with when it goes on", async () => {
    const child = Bun.spawn([process.execPath, `${import.meta.dir}/fixtures/sim-process.ts`, "0", "240"], {
      stdout: "pipe",
      stderr: "inherit",
    });
    try {
      const { value } = await child.stdout.getReader().read();
      const port = Number(new TextDecoder().decode(value).trim());
      await using run = runLive(liveFeed(port, { staleAfterMs: 500 }));
      await eventually(() => fullMinutes(run.out) >= 2, 20_000, "candles");
      child.kill("SIGSTOP");
      await eventually(() => (run.feed.facts().counters["reconnects.total"] ?? 0) > 0, 20_000, "the watchdog");
      expect(run.feed.facts().connected).toBe(false);
      child.kill("SIGCONT");
      const before = fullMinutes(run.out);
      await eventually(() => fullMinutes(run.out) >= before + 20, 30_000, "candles after the stop");
      expect(faults(run.out)).toEqual([]);
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
  }, 90_000);
});
