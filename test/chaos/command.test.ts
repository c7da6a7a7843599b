import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("chaos refuses (77) a folder that holds other data, and touches nothing in it", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  mkdirSync(`${data}/journal`, { recursive: true });
  writeFileSync(`${data}/market.duckdb`, "precious");
  const refused = await fabric(["chaos", "--for", "10s", "--data", data]);
  expect(refused.code).toBe(77);
  expect(refused.err).toMatch(
    /^fabric: Cannot hurt .*needs a folder that is new, empty, or of an earlier chaos.*choose another --data/,
  );
  expect(refused.out).toBe("");
  expect(readFileSync(`${data}/market.duckdb`, "utf8")).toBe("precious");
  expect(readdirSync(data).sort()).toEqual(["journal", "market.duckdb"]);
  writeFileSync(folder.join("file"), "");
  expect((await fabric(["chaos", "--for", "10s", "--data", folder.join("file")])).code).toBe(77);
});

test("chaos refuses (77) an earlier chaos's folder in which a node lives, and names it", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  mkdirSync(data);
  writeFileSync(`${data}/chaos.json`, "{}");
  await using node = start(["sim", "--port", "0", "--symbols", "BTCUSDT", "--data", data]);
  await node.says(/Listening on/);
  const refused = await fabric(["chaos", "--for", "10s", "--data", data]);
  expect([refused.code, refused.err]).toEqual([77, expect.stringContaining(`sim (process ${node.pid}) runs in it`)]);
  expect(existsSync(`${data}/sim.json`)).toBe(true);
  expect(await node.stop()).toBe(0);
});

test("chaos does not take the data folder of everything else for its own: FABRIC_DATA is not looked at", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  mkdirSync(data);
  writeFileSync(`${data}/market.duckdb`, "precious");
  await using running = start(["chaos", "--for", "10s"], { env: { FABRIC_DATA: data, TMPDIR: folder.path } });
  await running.says(/data in .*fabric-chaos-/);
  expect(await running.stop("SIGINT")).toBe(75);
  expect(readdirSync(folder.path)).toEqual(["data"]);
  expect(readdirSync(data)).toEqual(["market.duckdb"]);
});

test("chaos tells what is wrong with a flag (64)", async () => {
  for (const words of [
    ["--for", "1s"],
    ["--for", "2h"],
    ["--seed", "-1"],
    ["--kill", "runners"],
    ["--drop", "wires"],
    ["--disk", "empty"],
    ["--files", "log"],
  ]) {
    const refused = await fabric(["chaos", ...words]);
    expect([refused.code, refused.err]).toEqual([64, expect.stringMatching(new RegExp(`${words[0]}.*expected`))]);
  }
});
