import { expect, test } from "bun:test";
import { platform } from "#platform";
import { FabricError } from "../../src/core/errors.ts";
import { patiently, storeStart } from "../../src/role/store-start.ts";
import type { StoreView } from "../../src/store/contract.ts";
import { failureOf, keepingLog } from "../store/support.ts";
import { eventually } from "../support/eventually.ts";

const VIEW: StoreView = {
  storeId: "s",
  venue: "binance",
  environment: null,
  throughSeq: 1,
  closedThrough: 0,
  heads: new Map(),
};

test("A consumer that starts while the store cannot be read waits for it, says so once, and starts where it then ends", async () => {
  const log = keepingLog();
  const answers = [
    () => Promise.reject(new FabricError("unavailable", "its checksum does not fit its content")),
    () => Promise.reject(new FabricError("io", "cannot look at it")),
    () => Promise.resolve(null),
    () => Promise.resolve({ ...VIEW, closedThrough: null }),
    () => Promise.resolve(VIEW),
  ];
  const reader = { view: () => (answers.shift() ?? (() => Promise.reject(new Error("asked too often"))))() };
  const stop = new AbortController();
  expect(await storeStart(reader, stop.signal, { timers: platform.timers, log })).toEqual(VIEW);
  expect(log.lines.filter((line) => line.startsWith("warn: Cannot read the store, trying again")).length).toBe(1);
});

test("Another schema version is told at once, and a stop ends the waiting", async () => {
  const deps = { timers: platform.timers, log: keepingLog() };
  const stop = new AbortController();
  const other = () => Promise.reject(new FabricError("config", "it has format 99"));
  expect((await failureOf(() => patiently(other, stop.signal, deps))).code).toBe("config");
  let asked = 0;
  const waiting = patiently(
    () => {
      asked++;
      return Promise.reject(new FabricError("unavailable", "it is missing"));
    },
    stop.signal,
    deps,
  );
  await eventually(() => asked > 1);
  stop.abort();
  expect(await waiting).toBeNull();
});
