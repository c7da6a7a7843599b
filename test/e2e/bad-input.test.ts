import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectRefusal } from "./support-refusal.ts";
import { changeManifestFormat, changeStoreVersion, copyStore, makeStore } from "./support-store.ts";

const root = tempFolder();
const STORE = root.join("store");
const CSV = root.join("store/trades.csv");
const REPLAY = ["market-data", "--feed", "replay", "--symbols", "BTCUSDT", "--file"];
const frame = (id: number, second: number) =>
  `${1723161600000 + second * 1000}000000 ` +
  JSON.stringify({
    stream: "btcusdt@trade",
    data: {
      e: "trade",
      E: 1723161600000 + second * 1000,
      s: "BTCUSDT",
      t: id,
      p: "100.0",
      q: "1.0",
      T: 1723161600000 + second * 1000,
      m: true,
      M: true,
    },
  });
const RECORDING = Array.from({ length: 600 }, (_, at) => frame(at + 1, at));

beforeAll(() => makeStore(STORE));
afterAll(() => root[Symbol.dispose]());

function file(name: string, content: string | Uint8Array): string {
  const path = root.join(name);
  writeFileSync(path, content);
  return path;
}

describe("A recording", () => {
  const bad: readonly (readonly [string, () => string, number, RegExp])[] = [
    ["that is not there", () => root.join("nope.gz"), 66, /Cannot (replay|play) .*nope\.gz: there is no such file/],
    ["that is a folder", () => root.path, 65, /expected a file, found a folder/],
    ["of plain text", () => file("prose.txt", "hello\nworld\n"), 65, /Cannot (replay|play) .*prose\.txt/],
    ["without a byte", () => file("empty.txt", ""), 65, /empty\.txt/],
    [
      "that only looks like gzip",
      () => file("noise.gz", new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7])),
      65,
      /noise\.gz/,
    ],
  ];
  for (const [what, make, code, message] of bad) {
    test(`${what} is refused with ${code} by the replay and by the simulated exchange`, async () => {
      using folder = tempFolder();
      const path = make();
      const data = folder.join("data");
      expectRefusal(await fabric([...REPLAY, path, "--data", data]), code, message);
      if (code === 66) expect(existsSync(data)).toBe(false);
      expectRefusal(await fabric(["sim", "--file", path]), code, message);
    });
  }

  test("that is a damaged Parquet file is refused with 65", async () => {
    using folder = tempFolder();
    const done = await fabric([...REPLAY, file("bad.parquet", "PAR1 and nothing"), "--data", folder.path]);
    expectRefusal(done, 65, /Cannot replay .*bad\.parquet: Invalid Input Error: /);
  });

  test("without a trade of the symbol asked for is refused with 65, and the line says what it holds", async () => {
    using folder = tempFolder();
    const path = file("other.txt", `${RECORDING.join("\n")}\n`);
    const words = ["market-data", "--feed", "replay", "--file", path, "--symbols", "ETHUSDT", "--data", folder.path];
    expectRefusal(await fabric(words), 65, "found no trade of ETHUSDT; it holds BTCUSDT of binance-spot");
  });

  test("with bad lines is played without them, and their number is said", async () => {
    using folder = tempFolder();
    const lines = [...RECORDING.slice(0, 300), "garbage", '123 {"stream":"btcusdt@trade"', ...RECORDING.slice(300)];
    const path = file("some-bad.txt", `${lines.join("\n")}\n`);
    const done = await fabric([...REPLAY, path, "--data", folder.path]);
    expect(done.code).toBe(0);
    expect(done.err).toContain("Skipped 2 bad lines of the replayed files");
    expect(await candleCount(folder.path, "provenance = 'complete'")).toBe(8);
    await using sim = start(["sim", "--file", path]);
    await sim.says(/Skipped 2 bad lines of /);
  });

  test("that was cut off is played as far as it goes, and what was lost is said", async () => {
    using folder = tempFolder();
    const whole = gzipSync(`${RECORDING.join("\n")}\n`);
    const path = file("cut.gz", whole.subarray(0, Math.floor(whole.length * 0.6)));
    const done = await fabric([...REPLAY, path, "--data", folder.path]);
    expect(done.code).toBe(0);
    expect(done.err).toMatch(/cut\.gz ends early or is damaged \(unexpected end of file\)/);
    expect(done.err).toMatch(/Skipped [01] bad lines of the replayed files; 1 of the files ended early/);
    expect(await candleCount(folder.path, "provenance = 'complete'")).toBeGreaterThanOrEqual(1);
  });
});

describe("A data folder", () => {
  const NODES: readonly (readonly string[])[] = [
    [...REPLAY, CSV],
    ["runner", "--strategy", "sma-cross"],
    ["scanner"],
    ["bridge", "--port", "0"],
    ["sim", "--port", "0"],
    ["up", "--port", "0", "--for", "1s"],
  ];
  for (const words of NODES) {
    test.concurrent(`that is a file, or that nobody may make, is refused with 74 by ${words[0]}`, async () => {
      const plain = file(`plain-${words[0]}`, "keep me");
      for (const data of [plain, join(plain, "below"), "/proc/fabric-data"]) {
        const done = await fabric([...words, "--data", data]);
        expectRefusal(done, 74, `Cannot use the data folder ${data}: it must be a folder that can be written (`);
      }
      expect(readFileSync(plain, "utf8")).toBe("keep me");
    });
  }

  test("without a store is 66 for a query, and no orders and no nodes for the rest", async () => {
    using folder = tempFolder();
    expectRefusal(await fabric(["query", "select 1", "--data", folder.path]), 66, "there is no market store in");
    for (const command of ["orders", "status"]) {
      const done = await fabric([command, "--json", "--data", folder.path]);
      expect(done).toEqual({ code: 0, out: "[]\n", err: "" });
    }
  });
});

describe("A port or endpoint that is in use", () => {
  for (const words of [["bridge"], ["sim"], ["up", "--for", "2s"]]) {
    test.concurrent(`is refused with 69 by ${words[0]}`, async () => {
      using folder = tempFolder();
      using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
      const done = await fabric([...words, "--port", `${server.port}`, "--data", folder.path]);
      expectRefusal(done, 69, `Cannot listen on 127.0.0.1:${server.port}: the port is in use`);
    });
  }

  test.concurrent("is refused with 69 by market-data --publish", async () => {
    using folder = tempFolder();
    using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const endpoint = `tcp://127.0.0.1:${server.port}`;
    const done = await fabric([...REPLAY, CSV, "--data", folder.path, "--publish", endpoint]);
    expectRefusal(done, 69, `Cannot bind "${endpoint}": Address already in use`);
    expect(existsSync(folder.join("market.duckdb"))).toBe(false);
  });

  test.concurrent("is told from an address of another machine, which is 64", async () => {
    using folder = tempFolder();
    const done = await fabric(["bridge", "--host", "192.0.2.1", "--insecure", "--port", "0", "--data", folder.path]);
    expectRefusal(done, 64, "expected an address of this machine");
  });
});

describe("Another version's or a damaged", () => {
  test("store file is refused with 78 and left as it is", async () => {
    const data = copyStore(STORE, root.join("old-store"));
    await changeStoreVersion(data);
    const before = readFileSync(join(data, "market.duckdb"));
    expectRefusal(
      await fabric([...REPLAY, CSV, "--data", data]),
      78,
      "it has schema version 99 and this fabric needs 1",
    );
    expect(readFileSync(join(data, "market.duckdb")).equals(before)).toBe(true);
  });

  test("manifest is refused with 78 by every reader, and a torn one with 69 and the remedy, which works", async () => {
    const data = copyStore(STORE, root.join("old-manifest"));
    changeManifestFormat(data);
    for (const words of [["query", "select 1"], ["runner", "--strategy", "sma-cross"], ["scanner"]])
      expectRefusal(await fabric([...words, "--data", data]), 78, "it has format 99 and this fabric reads format 1");
    writeFileSync(join(data, "published/manifest.json"), '{"torn');
    const torn = await fabric(["query", "select 1", "--data", data]);
    expectRefusal(torn, 69, "a running market-data node writes it again");
    expect((await fabric([...REPLAY, CSV, "--data", data])).code).toBe(0);
    expect(await candleCount(data, "true")).toBe(await candleCount(STORE, "true"));
  });

  test("segment is told with 69 and the remedy, which works", async () => {
    const data = copyStore(STORE, root.join("damaged-segments"));
    const segments = join(data, "published/segments");
    for (const name of readdirSync(segments)) writeFileSync(join(segments, name), "not Parquet");
    const damaged = await fabric(["query", "from candle", "--data", data]);
    expectRefusal(damaged, 69, /a published file is missing or damaged; start the market-data node, which rebuilds it/);
    for (const name of readdirSync(segments)) rmSync(join(segments, name));
    expectRefusal(await fabric(["query", "from candle", "--data", data]), 69, "a published file is missing or damaged");
    expect((await fabric([...REPLAY, CSV, "--data", data])).code).toBe(0);
    expect(await candleCount(data, "true")).toBe(await candleCount(STORE, "true"));
  });

  test("file in the store's place is refused with 78 and left as it is", async () => {
    const data = copyStore(STORE, root.join("no-store"));
    writeFileSync(join(data, "market.duckdb"), "a diary, not a database; ".repeat(1000));
    const done = await fabric([...REPLAY, CSV, "--data", data]);
    expectRefusal(done, 78, "it is not a DuckDB database; move it away, or use another data folder");
    expect(readFileSync(join(data, "market.duckdb"), "utf8")).toStartWith("a diary");
  });

  test("journal is refused with 78 by its runner and by orders, and left as it is", async () => {
    const data = copyStore(STORE, root.join("old-journal"));
    const path = join(data, "journal/sma-cross.sqlite");
    mkdirSync(join(data, "journal"), { recursive: true });
    const other = new Database(path);
    other.run("CREATE TABLE orders (id TEXT)");
    other.run("PRAGMA user_version = 9");
    other.close();
    const both = [["runner", "--strategy", "sma-cross"], ["orders"]];
    for (const words of both)
      expectRefusal(await fabric([...words, "--data", data]), 78, "its schema version is 9, this fabric needs 2");
    writeFileSync(path, "this is no database, and long enough to look like one");
    for (const words of both)
      expectRefusal(await fabric([...words, "--data", data]), 78, "it is not a runner's journal");
    expect(readFileSync(path, "utf8")).toStartWith("this is no database");
  });

  test("up.json or sim.json is refused with 78", async () => {
    for (const text of ['{"seed":1', '{"seed":"1","speed":60,"symbols":["BTCUSDT"]}', "null", "[]"]) {
      using folder = tempFolder();
      writeFileSync(folder.join("up.json"), text);
      const done = await fabric(["up", "--data", folder.path, "--port", "0", "--for", "1s"]);
      expectRefusal(done, 78, /Cannot read .*up\.json: expected seed, speed and symbols as JSON/);
    }
    for (const text of ['{"version":9}', "{", "null"]) {
      using folder = tempFolder();
      writeFileSync(folder.join("sim.json"), text);
      for (const words of [["up", "--port", "0", "--for", "1s"], ["sim"]]) {
        const done = await fabric([...words, "--data", folder.path]);
        expectRefusal(done, 78, /sim\.json is not a version 1 state; remove it/);
      }
    }
  });
});

async function candleCount(data: string, condition: string): Promise<number> {
  const done = await fabric(["query", `select count(*) n from candle where ${condition}`, "--json", "--data", data]);
  expect(done.err).toBe("");
  return JSON.parse(done.out)[0].n;
}
