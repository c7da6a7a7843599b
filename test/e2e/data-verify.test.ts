import { expect, test } from "bun:test";
import { truncateSync } from "node:fs";
import { fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { makeStore } from "./support-store.ts";

test("data verify passes a replayed store, finds a damaged manifest (65), and tells a missing folder (66) and a wrong word (64)", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  await makeStore(data);
  const sound = await fabric(["data", "verify", "--data", data]);
  expect([sound.code, sound.err]).toEqual([0, ""]);
  expect(sound.out).toMatch(/the store is sound: 1\d candles of 1 symbols in \d+ segments/);

  truncateSync(`${data}/published/manifest.json`, 50);
  const faulty = await fabric(["data", "verify", "--json", "--data", data]);
  expect(faulty.code).toBe(65);
  const report = JSON.parse(faulty.out);
  expect([
    report.ok,
    report.checks.filter((check: { ok: boolean }) => !check.ok).map((check: { id: string }) => check.id),
  ]).toEqual([false, ["manifest"]]);

  expect((await fabric(["data", "verify", "--data", folder.join("none")])).code).toBe(66);
  expect((await fabric(["data", "verfy", "--data", data])).code).toBe(64);
});

test("Invariant 1 (one writer): data verify is refused (69) beside a living market-data, whose process it names", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  await using node = start(["market-data", "--feed", "sim", "--symbols", "BTCUSDT", "--data", data]);
  await node.says(/Store .* at row 0/);
  const refused = await fabric(["data", "verify", "--data", data]);
  expect(refused.code).toBe(69);
  expect(refused.err).toContain(`process ${node.pid} holds it`);
  expect(await node.stop()).toBe(0);
});
