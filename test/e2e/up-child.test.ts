import { expect, test } from "bun:test";
import type { Clock, Timers } from "../../src/core/env.ts";
import { CALM_AFTER_MS, Child, FIRST_RESTART_MS, MOST_RESTART_MS } from "../../src/role/up/child.ts";
import { eventually } from "../support/eventually.ts";

/** Real child processes under a clock and timers that only the test moves. */
class Stage implements AsyncDisposable {
  readonly child: Child;
  readonly said: string[] = [];
  /** Delays asked for, in order. */
  readonly delays: number[] = [];
  nowMs = 0;
  #due: (() => void) | null = null;
  #starts = 0;

  constructor(command: readonly string[]) {
    const clock: Clock = { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs };
    const timers: Timers = {
      after: (delayMs, run) => {
        this.delays.push(delayMs);
        this.#due = run;
        return {
          cancel: () => {
            this.#due = null;
          },
        };
      },
      every: () => ({ cancel: () => undefined }),
    };
    this.child = new Child("role", command, { clock, timers, say: (line) => this.said.push(line) });
  }

  start(): void {
    this.#starts++;
    this.child.start();
  }

  get isRestarting(): boolean {
    return this.#due !== null;
  }

  /** Lets the pending restart come due once the child has died. */
  async restart(): Promise<void> {
    await eventually(() => this.#due !== null, 5000, `a restart to be due after start ${this.#starts}`);
    const run = this.#due;
    this.#due = null;
    this.#starts++;
    run?.();
  }

  says(pattern: RegExp): Promise<string> {
    return eventually(() => this.said.find((line) => pattern.test(line)), 5000, `${pattern} in ${this.said}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill();
    await this.child.stop();
  }
}

const shell = (script: string) => ["/bin/sh", "-c", script];

test("a role that dies is restarted within half a second, then at doubling delays of at most two seconds", async () => {
  expect(FIRST_RESTART_MS).toBeLessThanOrEqual(500);
  expect(MOST_RESTART_MS).toBeLessThanOrEqual(2000);
  await using stage = new Stage(shell("exit 70"));
  stage.start();
  for (let death = 0; death < 6; death++) await stage.restart();
  expect(stage.delays.slice(0, 6)).toEqual([250, 500, 1000, 2000, 2000, 2000]);
  expect(stage.said[0]).toBe("exited with 70; restarting in 250 ms");
  expect(stage.child.restarts).toBeGreaterThanOrEqual(6);
});

test("a role that was up for ten seconds is calm: its next death counts as the first again", async () => {
  await using stage = new Stage(shell("read line"));
  stage.start();
  for (const upMs of [0, 0, CALM_AFTER_MS - 1, CALM_AFTER_MS, 0]) {
    stage.nowMs += upMs;
    stage.child.kill();
    await stage.restart();
  }
  expect(stage.delays).toEqual([250, 500, 1000, 250, 500]);
  expect(stage.said[0]).toBe("was killed by SIGKILL; restarting in 250 ms");
});

for (const code of [64, 77, 78]) {
  test(`a role that exits with ${code} stays down, which is said, and the code is kept`, async () => {
    await using stage = new Stage(shell(`exit ${code}`));
    stage.start();
    await stage.says(new RegExp(`exited with ${code}; a restart would not help`));
    expect(stage.isRestarting).toBe(false);
    expect(stage.child.finalExit).toBe(code);
    expect(stage.child.pid).toBeNull();
  });
}

test("an exit with 0 that nobody asked for is a death, too", async () => {
  await using stage = new Stage(shell("exit 0"));
  stage.start();
  await stage.says(/exited with 0; restarting in 250 ms/);
});

test("a program that cannot be started is said to be so, and tried again", async () => {
  await using stage = new Stage(["/nowhere/fabric"]);
  stage.start();
  await stage.says(/cannot start/);
  await stage.restart();
  await eventually(() => stage.delays.length === 2);
  expect(stage.delays).toEqual([250, 500]);
});

test("a child told to stop gets SIGTERM, and is not started again", async () => {
  await using stage = new Stage(shell("trap 'echo stopping; exit 0' TERM; echo ready; while :; do sleep 0.05; done"));
  stage.start();
  await stage.says(/^ready$/);
  await stage.child.stop();
  await stage.says(/^stopping$/);
  expect(stage.isRestarting).toBe(false);
  expect(stage.child.pid).toBeNull();
});

test("a child that ends by a signal to the whole group before its turn comes stays down", async () => {
  await using stage = new Stage(shell("read line"));
  stage.start();
  stage.child.stayDown();
  stage.child.kill();
  await stage.child.stop();
  expect(stage.isRestarting).toBe(false);
});

test("a restart that is pending when the stop comes does not happen", async () => {
  await using stage = new Stage(shell("exit 3"));
  stage.start();
  await eventually(() => stage.isRestarting);
  await stage.child.stop();
  expect(stage.isRestarting).toBe(false);
});
