import { expect, test } from "bun:test";
import { existsSync, linkSync, symlinkSync } from "node:fs";
import { relative } from "node:path";
import { grantWriter } from "../../src/store/grant.ts";
import { declareRole } from "../../src/store/guard.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, failureOf, fill, openWriter, spawnFixture } from "./support.ts";

async function tryAs(role: string, way: string, target: string): Promise<string> {
  await using fixture = spawnFixture("role", role, way, target);
  return (await fixture.ended()).join("\n");
}

test("Invariant 1 (one writer): no role but market-data opens a store, by any way, and nothing is made or opened", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 1);
  await writer.close();
  const market = folder.join("market.duckdb");
  symlinkSync(market, folder.join("link.duckdb"));
  linkSync(market, folder.join("hard.duckdb"));
  const targets = [market, relative(process.cwd(), market), folder.join("link.duckdb"), folder.join("hard.duckdb")];
  for (const target of targets) {
    for (const way of ["file", "read-only"]) {
      const answer = await tryAs("scanner", way, target);
      expect(answer).toStartWith(
        '77 Cannot open the market store for writing: only the market-data role may, and this is "scanner"; read the published segments instead',
      );
    }
  }
  expect(await tryAs("scanner", "attach", market)).toStartWith("77 Refused to run this SQL");
  expect(existsSync(`${market}.wal`)).toBe(false);
}, 60_000);

test("Invariant 1 (one writer): a writer needs a grant, and only a process declared market-data can make one", async () => {
  using folder = tempFolder();
  for (const role of ["runner", "bridge", "command", "undeclared"])
    expect(await tryAs(role, "writer", folder.join("data"))).toStartWith(
      `77 Cannot open the market store for writing: only the market-data role may, and this is "${role}"`,
    );
  expect(await tryAs("market-data", "forged-grant", folder.join("data"))).toStartWith("77 ");
  expect(existsSync(folder.join("data"))).toBe(false);
  declareRole("market-data");
  expect((await failureOf(() => grantWriter("runner"))).message).toContain('this is "runner"');
  expect((await failureOf(() => declareRole("runner"))).code).toBe("internal");
}, 60_000);

test("Invariant 1 (one writer): a second market-data is told the holder's pid, and the holder is unharmed", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await writer.commit(batch([candle("A", 0)]));
  const answer = await tryAs("market-data", "writer", folder.path);
  expect(answer).toStartWith("69 Cannot open the market store");
  expect(answer).toContain(`process ${process.pid} holds it`);
  await writer.commit(batch([candle("A", 1)]));
  await writer.close();
  expect(await tryAs("market-data", "writer", folder.path)).toBe("opened");
}, 60_000);

test("Invariant 1 (one writer): the lock outlives a forced garbage collection of a writer nobody refers to", async () => {
  using folder = tempFolder();
  let close = await (async () => {
    const writer = await openWriter(folder.path);
    await writer.commit(batch([candle("A", 0)]));
    const held = new WeakRef(writer);
    return () => held.deref()?.close();
  })();
  for (let round = 0; round < 5; round++) {
    Bun.gc(true);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await tryAs("market-data", "writer", folder.path)).toContain(`process ${process.pid} holds it`);
  await close();
  close = () => undefined;
}, 60_000);

test("The same process cannot open a store twice, which DuckDB's own lock would allow", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const error = await failureOf(() => openWriter(folder.path));
  expect([error.code, error.message.includes("this process has it open already")]).toEqual(["unavailable", true]);
  expect(await tryAs("market-data", "writer", folder.path)).toContain(`process ${process.pid} holds it`);
  await writer.close();
  await (await openWriter(folder.path)).close();
}, 60_000);

test("In-memory DuckDB is free to every role", async () => {
  for (const role of ["scanner", "command", "undeclared"]) expect(await tryAs(role, "memory", "")).toBe("opened");
}, 60_000);

test("A killed writer's lock is gone with it", async () => {
  using folder = tempFolder();
  await using fixture = spawnFixture("writer", folder.path, "2", "5");
  await eventually(() => fixture.lines.filter((line) => line.startsWith("committed")).length === 5, 20_000);
  expect((await failureOf(() => openWriter(folder.path))).message).toContain(`process ${fixture.child.pid} holds it`);
  fixture.child.kill("SIGKILL");
  await fixture.child.exited;
  const writer = await openWriter(folder.path);
  expect(writer.commitSeq).toBe(10);
  await writer.close();
}, 60_000);
