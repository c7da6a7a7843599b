import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { eventually } from "../support/eventually.ts";
import { fabric, type Running, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectRefusal } from "./support-refusal.ts";
import { makeStore } from "./support-store.ts";

const root = tempFolder();
const LIVE = root.join("live");
const SETTLED = root.join("settled");
let sim: Running;
let market: Running;

beforeAll(async () => {
  await makeStore(SETTLED);
  sim = start(["sim", "--symbols", "BTCUSDT", "--seed", "5", "--speed", "120"]);
  market = start(marketData(await urlOf(sim), "BTCUSDT", LIVE));
  await eventually(async () => (await rows("select 1 from candle limit 1", LIVE)).length === 1, 15_000);
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
  await sim[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});

describe("Beside a live writer", () => {
  test("a query reads, and the writer goes on", async () => {
    const count = async () => (await rows("select count(*) n from candle", LIVE))[0]?.n as number;
    const before = await count();
    await eventually(async () => (await count()) > before, 5000, "the writer to go on");
    expect(market.process.exitCode).toBeNull();
  });

  test("a second market-data is refused with 69 and told the pid of the first, which is left alone", async () => {
    const second = await fabric(marketData(await urlOf(sim), "BTCUSDT", LIVE));
    expectRefusal(second, 69, new RegExp(`process ${market.pid} holds it as market-data; stop that first`));
    expect(market.process.exitCode).toBeNull();
    const linked = root.join("link-to-live");
    symlinkSync(LIVE, linked);
    expectRefusal(await fabric(marketData(await urlOf(sim), "BTCUSDT", linked)), 69, `process ${market.pid} holds it`);
  });

  for (const [role, words] of [
    ["runner", ["runner", "--strategy", "sma-cross", "--name", "one"]],
    ["scanner", ["scanner", "--name", "one"]],
    ["bridge", ["bridge", "--port", "0", "--name", "one"]],
  ] as const) {
    test(`a second ${role} of a name is refused with 77 while the first lives, and not after`, async () => {
      const all = [...words, "--data", LIVE];
      await using first = start(all);
      await eventually(() => existsSync(join(LIVE, "run/one.json")));
      await eventually(() => JSON.parse(readFileSync(join(LIVE, "run/one.json"), "utf8")).pid === first.pid);
      expectRefusal(
        await fabric(all),
        77,
        `Cannot start as "one": process ${first.pid} runs under that name in ${LIVE}`,
      );
      await first.stop("SIGKILL");
      await using next = start(all);
      await eventually(() => JSON.parse(readFileSync(join(LIVE, "run/one.json"), "utf8")).pid === next.pid);
      expect(await next.stop()).toBe(0);
    }, 15_000);
  }

  test("symbols of which the venue has none are refused with 64", async () => {
    using folder = tempFolder();
    const done = await fabric(marketData(await urlOf(sim), "NOPE", folder.path));
    expectRefusal(done, 64, /Unknown symbol NOPE: the venue at .* does not have it/);
  });

  test("an address that is no WebSocket's is refused with 64", async () => {
    using folder = tempFolder();
    const done = await fabric(marketData("http://127.0.0.1:1", "BTCUSDT", folder.path));
    expectRefusal(done, 64, 'Bad --url "http://127.0.0.1:1": expected a WebSocket address');
  });
});

describe("A store of one market", () => {
  test("is not made for another venue than the folder's own simulated exchange is: 77, which names the right one", async () => {
    const data = root.join("other-sim");
    await using kraken = start(["sim", "--venue", "kraken", "--symbols", "BTC/USD", "--data", data]);
    await urlOf(kraken);
    const words = ["market-data", "--feed", "sim", "--symbols", "BTC/USD", "--data", data];
    expectRefusal(await fabric(words), 77, /its simulated exchange is kraken; name it with --venue kraken$/);
    expect(existsSync(join(data, "market.duckdb"))).toBe(false);
    await using node = start([...words, "--venue", "kraken"]);
    await node.says(/Store \S+ at row 0, venue kraken/);
  });

  test("is refused with 77 to another seed, a recording, and another venue, and keeps its rows", async () => {
    using folder = tempFolder();
    {
      await using node = start(marketData(await urlOf(sim), "BTCUSDT", folder.path));
      await eventually(async () => (await rows("select 1 from candle limit 1", folder.path)).length === 1, 15_000);
      expect(await node.stop()).toBe(0);
    }
    const before = await rows("select * from candle order by commit_seq", folder.path);
    await using other = start(["sim", "--symbols", "BTCUSDT", "--seed", "6", "--speed", "120"]);
    const seed = await fabric(marketData(await urlOf(other), "BTCUSDT", folder.path));
    expectRefusal(seed, 77, /for "sim:seed=6:.*it holds "sim:seed=5:.*use another data folder/);
    const csv = join(SETTLED, "trades.csv");
    const replay = ["market-data", "--feed", "replay", "--symbols", "BTCUSDT", "--data", folder.path, "--file"];
    expectRefusal(await fabric([...replay, csv]), 77, /it holds ("sim:seed=5:|venue "binance-spot")/);
    expect(await rows("select * from candle order by commit_seq", folder.path)).toEqual(before);
  }, 30_000);

  test("a journal is refused with 77 to other parameters and to another store", async () => {
    using folder = tempFolder();
    const runner = ["runner", "--strategy", "sma-cross", "--data"];
    const follow = async (data: string) => {
      await using node = start([...runner, data]);
      await eventually(() => existsSync(join(data, "journal/sma-cross.sqlite")));
      await eventually(async () => (await fabric(["orders", "--data", data])).code === 0);
      await node.stop();
    };
    await follow(SETTLED);
    const params = await fabric([...runner, SETTLED, "--params", "fast=7"]);
    expectRefusal(params, 77, /its params is .*start the runner as before, or under another --name/);
    const moved = folder.join("moved");
    await makeStore(moved);
    mkdirSync(join(moved, "journal"), { recursive: true });
    for (const name of readdirSync(join(SETTLED, "journal")))
      writeFileSync(join(moved, "journal", name), readFileSync(join(SETTLED, "journal", name)));
    expectRefusal(await fabric([...runner, moved]), 77, /its storeId is .*point --data at the store it belongs to/);
  }, 20_000);
});

describe("A user's SQL", () => {
  const store = join(LIVE, "market.duckdb");
  const link = root.join("innocent.db");
  const refused = (): readonly (readonly [string, string])[] => [
    ["the store by its path", `from '${store}'`],
    ["the store by a relative path", `from '${relative(process.cwd(), store)}'`],
    ["the store by a link", `from '${link}'`],
    ["the store by ATTACH", `attach '${store}' as m`],
    ["the store by ATTACH, read-only", `attach '${store}' as m (read_only)`],
    ["another database", `attach '${root.join("e.duckdb")}' as e`],
    ["a journal", `from sqlite_scan('${join(LIVE, "journal/one.sqlite")}', 'intent')`],
    ["the manifest", `from read_json('${join(LIVE, "published/manifest.json")}')`],
    ["a file of the system", "select * from read_csv('/etc/passwd')"],
    ["a file of the system inside a WITH", "with a as (from read_text('/etc/hostname')) from a"],
    ["a file of the system inside a subquery", "select (select content from read_text('/etc/hostname'))"],
    ["a folder", "from glob('/etc/*')"],
    ["the published files by hand", `from read_parquet('${join(LIVE, "published/segments")}/*')`],
    ["to write a row", "insert into candle values (1)"],
    ["to delete rows", "delete from candle"],
    ["to write a file", `copy candle to '${root.join("x.csv")}'`],
    ["to write a database", `export database '${root.join("z")}'`],
    ["to write a log", `call enable_logging(storage='file', storage_path='${root.join("l")}')`],
    ["to write a profile", `pragma enable_profiling='json'`],
    ["to install", "install httpfs"],
    ["to load", "load httpfs"],
    ["to change settings", "set threads = 1"],
    ["to unlock the settings", "set enable_external_access = true"],
    ["two statements", "select 1; select 2"],
    ["a table and then a file", `create table t as select 1; copy t to '${root.join("y.csv")}'`],
    ["SQL inside a text", "from query('select 1')"],
  ];

  test("is refused with 77 where it would read another file, write, or change anything; nothing is written", async () => {
    symlinkSync(store, link);
    const before = readdirSync(root.path);
    for (const [what, sql] of refused()) {
      const done = await fabric(["query", sql, "--data", LIVE]);
      expect([what, done.code]).toEqual([what, 77]);
      expectRefusal(done, 77, /^fabric: Refused to run this SQL: \S/);
    }
    expect(readdirSync(root.path)).toEqual(before);
    expect(market.process.exitCode).toBeNull();
  }, 30_000);

  test.each([
    ["selct 1", 'syntax error at or near "selct"'],
    ["", "it holds no statement"],
    ["select nosuch from candle", 'Referenced column "nosuch" not found'],
    ["from cndle", 'Did you mean "candle"?'],
    ["select nofunc(1)", "nofunc does not exist"],
    ["select cast('x' as int)", "Could not convert string 'x'"],
    ["select 'open", "unterminated quoted string"],
    ["select error('two\nlines\u001b[31m')", "two lines [31m"],
  ])("that is wrong is 65, in one line: %p", async (sql, message) => {
    expectRefusal(await fabric(["query", sql, "--data", SETTLED]), 65, `Wrong SQL: `);
    expectRefusal(await fabric(["query", sql, "--data", SETTLED]), 65, message);
  });
});

function marketData(url: string, symbols: string, data: string): string[] {
  return ["market-data", "--feed", "binance", "--url", url, "--symbols", symbols, "--history", "5", "--data", data];
}

async function urlOf(exchange: Running): Promise<string> {
  return (await exchange.says(/ws:\/\/127\.0\.0\.1:\d+/))[0];
}

async function rows(sql: string, data: string): Promise<readonly Record<string, unknown>[]> {
  const done = await fabric(["query", sql, "--json", "--data", data]);
  if (done.code === 66) return [];
  expect([done.code, done.err]).toEqual([0, ""]);
  return JSON.parse(done.out);
}
