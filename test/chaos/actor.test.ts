import { expect, test } from "bun:test";
import { platform } from "#platform";
import { Actor, type Exit } from "../../src/role/chaos/actor.ts";
import type { Part } from "../../src/role/chaos/cast.ts";
import { trySecond } from "../../src/role/chaos/tries.ts";
import { tempFolder } from "../support/temp-folder.ts";

const PART: Part = { name: "market-data", role: "market-data", words: ["60"], configured: null };

test("Only a living process is killed or frozen: one that was killed and is not reaped yet does not count again", async () => {
  using folder = tempFolder();
  const exits: Exit[] = [];
  const deps = { mark: folder.path, clock: platform.clock, onExit: (exit: Exit) => exits.push(exit) };
  const actor = new Actor(PART, ["sleep"], deps);
  expect([actor.kill(), actor.living]).toEqual([false, false]);
  actor.start(null);
  expect(actor.living).toBe(true);
  expect(actor.kill()).toBe(true);
  // The event loop has not turned: the kernel's word of its end cannot have been heard.
  expect([actor.pid === null, actor.living, actor.doomed]).toEqual([false, false, true]);
  expect([actor.kill(), actor.freeze()]).toEqual([false, false]);
  const second = await trySecond(actor, folder.path, folder.path);
  expect([second.void, second.code]).toEqual([true, null]);
  await actor.stop();
  expect(exits.map(({ signal, ours }) => [signal, ours])).toEqual([["SIGKILL", true]]);
});

test("One that was asked to stop and does not is killed", async () => {
  using folder = tempFolder();
  const deps = { mark: folder.path, clock: platform.clock, onExit: () => undefined };
  const script = "trap '' TERM; echo up; while :; do sleep 0.05; done";
  const actor = new Actor({ ...PART, words: [script] }, ["sh", "-c"], deps);
  actor.start(null);
  while (!actor.lines.includes("up")) await new Promise((resolve) => setImmediate(resolve));
  const ended = actor.stop();
  expect(actor.kill()).toBe(true);
  expect((await ended)?.signal).toBe("SIGKILL");
});
