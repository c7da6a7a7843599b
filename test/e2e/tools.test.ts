import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { FABRIC, fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { makeStore } from "./support-store.ts";

const root = tempFolder();
const STORE = root.join("store");
const COMMANDS =
  "up market-data runner scanner bridge sim tail query orders positions explain halt resume status licences".split(" ");

const CANDLE: readonly (readonly [string, string])[] = [
  ["symbol", "VARCHAR"],
  ["open_time", "TIMESTAMP"],
  ["open", "DOUBLE"],
  ["high", "DOUBLE"],
  ["low", "DOUBLE"],
  ["close", "DOUBLE"],
  ["volume", "DOUBLE"],
  ["quote_volume", "DOUBLE"],
  ["trades", "BIGINT"],
  ["taker_buy_volume", "DOUBLE"],
  ["taker_buy_quote_volume", "DOUBLE"],
  ["first_trade_id", "BIGINT"],
  ["last_trade_id", "BIGINT"],
  ["provenance", "VARCHAR"],
  ["revision", "INTEGER"],
  ["commit_seq", "BIGINT"],
];
const WIRE_FIELDS =
  "symbol openTime closeTime open high low close volume quoteVolume trades takerBuyVolume takerBuyQuoteVolume firstTradeId lastTradeId";

beforeAll(() => makeStore(STORE));
afterAll(() => root[Symbol.dispose]());

const query = (sql: string, ...flags: string[]) => fabric(["query", sql, ...flags, "--data", STORE]);
const json = async (sql: string) => JSON.parse((await query(sql, "--json")).out);

describe("fabric query", () => {
  test("has the columns of the candle views and of feed_gap by name, type and order", async () => {
    const shape = async (view: string) =>
      (await json(`describe ${view}`)).map((row: Record<string, string>) => [row.column_name, row.column_type]);
    expect(await shape("candle")).toEqual(CANDLE);
    expect(await shape("candle_all")).toEqual(CANDLE);
    expect(await shape("feed_gap")).toEqual([
      ["symbol", "VARCHAR"],
      ["from_open_time", "TIMESTAMP"],
      ["to_open_time", "TIMESTAMP"],
      ["reason", "VARCHAR"],
    ]);
  });

  test("has those views and columns in a store that has no row yet, too", async () => {
    using folder = tempFolder();
    await using sim = start(["sim", "--symbols", "BTCUSDT", "--speed", "1"]);
    const url = (await sim.says(/ws:\/\/127\.0\.0\.1:\d+/))[0];
    const words = ["--feed", "binance", "--url", url, "--symbols", "BTCUSDT", "--history", "0"];
    await using node = start(["market-data", ...words, "--data", folder.path]);
    await node.says(/Store /);
    await eventually(async () => (await fabric(["query", "select 1", "--data", folder.path])).code === 0);
    for (const view of ["candle", "candle_all", "feed_gap"]) {
      const done = await fabric(["query", `from ${view}`, "--json", "--data", folder.path]);
      expect(done).toEqual({ code: 0, out: "[]\n", err: "" });
    }
    const described = await fabric(["query", "describe candle", "--json", "--data", folder.path]);
    expect(JSON.parse(described.out).map((row: Record<string, string>) => row.column_name)).toEqual(
      CANDLE.map(([name]) => name),
    );
  });

  test("prints one array of flat objects: integers as numbers, text above 2^53, times with Z, lists and structs as JSON", async () => {
    const [row] =
      await json(`select 9007199254740991::bigint a, 9007199254740993::bigint b, -9007199254740993::bigint c,
      170141183460469231731687303715884105727::hugeint d, timestamp '2024-01-02' e, timestamp '2024-01-02 03:04:05.678' f,
      timestamp '2024-01-02 03:04:05.678901' g, timestamptz '2024-01-02 03:04:05+02' h, date '2024-01-02' i, 1.5::double j,
      'nan'::double k, 0.10::decimal(10,2) l, null m, [1, 9007199254740993] n, {'at': timestamp '2024-01-02', 'n': 1} o,
      []::int[] p, map {'x': 1} q, true r, 'a"b' s`);
    expect(row).toEqual({
      a: 9007199254740991,
      b: "9007199254740993",
      c: "-9007199254740993",
      d: "170141183460469231731687303715884105727",
      e: "2024-01-02T00:00:00Z",
      f: "2024-01-02T03:04:05.678Z",
      g: "2024-01-02T03:04:05.678901Z",
      h: "2024-01-02T01:04:05Z",
      i: "2024-01-02",
      j: 1.5,
      k: null,
      l: 0.1,
      m: null,
      n: [1, "9007199254740993"],
      o: { at: "2024-01-02T00:00:00Z", n: 1 },
      p: [],
      q: [{ key: "x", value: 1 }],
      r: true,
      s: 'a"b',
    });
    expect((await query("select 1 where false", "--json")).out).toBe("[]\n");
    expect(await json("select 1 a, 2 a")).toEqual([{ a: 1, a_1: 2 }]);
  });

  test("prints CSV as RFC 4180 has it, with a header even where there is no row", async () => {
    const done = await query("select 'a,b' x, 'q\"r' y, null z, 'l1\nl2' n, timestamp '2024-01-02' t", "--csv");
    expect(done.out).toBe('x,y,z,n,t\r\n"a,b","q""r",,"l1\nl2",2024-01-02T00:00:00Z\r\n');
    expect((await query("select symbol from candle where false", "--csv")).out).toBe("symbol\r\n");
  });

  test("prints a table whose cells stay on their line and give no orders to the terminal", async () => {
    const done = await query("select 'l1\nl2' n, chr(27) || '[31m' e, 5 v union all select 'x', 'y', 12345");
    expect(done.out.trimEnd().split("\n")).toEqual([
      "n       e               v",
      "──────  ──────────  ─────",
      "l1\\nl2  \\u001b[31m      5",
      "x       y           12345",
    ]);
  });

  test("stops at a million rows and says so, in every format", async () => {
    for (const flag of [[], ["--json"], ["--csv"]]) {
      const done = await query("select * from range(2000000)", ...flag);
      expect(done.code).toBe(0);
      expect(done.err).toBe("fabric: only the first 1000000 rows are shown; narrow the query\n");
      expect(done.out.split("\n").length).toBeGreaterThanOrEqual(1_000_000);
    }
  }, 30_000);
});

describe("fabric sim --truth", () => {
  test("prints candles under the wire's names, one array, every symbol in every minute", async () => {
    const words = ["sim", "--truth", "--minutes", "90", "--symbols", "BTCUSDT,ETHUSDT", "--seed", "3"];
    const done = await fabric([...words, "--json"]);
    const candles = JSON.parse(done.out) as Record<string, number | string | null>[];
    expect([done.code, done.err, candles.length]).toEqual([0, "", 180]);
    const start = Date.parse("2025-01-01T00:00Z");
    for (const [at, candle] of candles.entries()) {
      expect(Object.keys(candle).join(" ")).toBe(WIRE_FIELDS);
      expect(candle.openTime).toBe(start + Math.floor(at / 2) * 60_000);
      expect(candle.closeTime).toBe(Number(candle.openTime) + 59_999);
      if (candle.trades === 0) expect([candle.high, candle.volume, candle.firstTradeId]).toEqual([candle.low, 0, null]);
    }
    expect((await fabric([...words, "--json"])).out).toBe(done.out);
    const later = await fabric([...words, "--json", "--start", "2025-01-02"]);
    expect(JSON.parse(later.out)[0].openTime).toBe(Date.parse("2025-01-02T00:00Z"));
    expect((await fabric(words)).out.split("\n")[0]).toMatch(/^symbol +openTime +closeTime +open/);
  });
});

describe("fabric tail, orders and status", () => {
  test("show a live data folder as lines, rows and nodes", async () => {
    using folder = tempFolder();
    const data = ["--data", folder.path];
    await using sim = start(["sim", "--symbols", "BTCUSDT,ETHUSDT", "--speed", "240", ...data]);
    await using market = start(["market-data", "--feed", "sim", "--symbols", "BTCUSDT,ETHUSDT", ...data]);
    await using runner = start(["runner", "--strategy", "sma-cross", ...data]);

    const one = await fabric(["tail", "market.candle.1m.ETHUSDT ", "-c", "2", "--json", ...data]);
    const bodies = one.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect([one.code, bodies.length]).toEqual([0, 2]);
    expect(bodies.map((body) => body.topic)).toEqual(Array(2).fill("market.candle.1m.ETHUSDT"));
    for (const name of [
      "v",
      "node",
      "epoch",
      "seq",
      "sentAt",
      "storeId",
      "commitSeq",
      "prevOpenTime",
      ...WIRE_FIELDS.split(" "),
    ])
      expect(Object.keys(bodies[0])).toContain(name);
    const plain = await fabric(["tail", "telemetry.health.", "-c", "3", ...data]);
    for (const line of plain.out.trim().split("\n")) expect(line).toMatch(/^telemetry\.health\.\S+ \{"v":1,.*\}$/);

    const nodes = JSON.parse((await fabric(["status", "--json", ...data])).out);
    expect(nodes.map((node: { node: string; pid: number }) => [node.node, node.pid])).toEqual([
      ["market-data", market.pid],
      ["sim", sim.pid],
      ["sma-cross", runner.pid],
    ]);

    const rows = await eventually(
      async () => {
        const found = JSON.parse((await fabric(["orders", "--json", ...data])).out);
        return found.length > 0 ? found : null;
      },
      20_000,
      "an order",
    );
    for (const row of rows) {
      expect(Object.keys(row)).toEqual(
        expect.arrayContaining("clientOrderId runner symbol openTime side quantity price status".split(" ")),
      );
      expect(row.clientOrderId).toMatch(/^[0-9A-Za-z]{1,32}$/);
      expect([row.runner, row.openTime % 60_000, typeof row.quantity]).toEqual(["sma-cross", 0, "string"]);
    }
    const slip = await fabric(["orders", "--runner", "sma-cros", "--json", ...data]);
    expect([slip.code, slip.out]).toEqual([66, ""]);
    expect(slip.err).toContain('did you mean "sma-cross"?');
    await market.stop("SIGKILL");
    const left = JSON.parse((await fabric(["status", "--json", ...data])).out);
    expect(left.map((node: { node: string }) => node.node)).toEqual(["sim", "sma-cross"]);
  }, 45_000);
});

describe("Help, version and pipes", () => {
  test.each(COMMANDS)(
    "fabric %s --help begins with examples, exits with 0 and holds no colour codes when piped",
    async (command) => {
      const done = await fabric([command, "--help"]);
      expect([done.code, done.err]).toEqual([0, ""]);
      expect(done.out).toMatch(new RegExp(`^Examples:\\n {2}fabric ${command}`));
      expect(done.out).not.toContain("\u001b");
      expect((await fabric(["help", command])).out).toBe(done.out);
      expect((await fabric([command, "-h"])).out).toBe(done.out);
    },
  );

  test("fabric --help names every command, and --version is the package's", async () => {
    const help = await fabric(["--help"]);
    expect([help.code, help.err]).toEqual([0, ""]);
    for (const command of COMMANDS) expect(help.out).toContain(`\n  ${command} `);
    const { version } = JSON.parse(readFileSync(join(import.meta.dir, "../../package.json"), "utf8"));
    expect(await fabric(["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  test("a reader that goes away ends a command quietly and soon", () => {
    mkdirSync(root.join("cwd"));
    for (const words of [
      "sim --truth --minutes 200000 --json",
      "query 'select * from range(900000)' --json",
      "licences",
    ]) {
      const command = FABRIC.map((word) => `'${word}'`).join(" ");
      const shell = spawnSync("bash", ["-o", "pipefail", "-c", `${command} ${words} | head -c 20`], {
        cwd: root.join("cwd"),
        env: { ...process.env, FABRIC_DATA: STORE },
        timeout: 10_000,
        encoding: "utf8",
      });
      expect([words, shell.status, shell.stderr]).toEqual([words, 0, ""]);
      expect(shell.stdout).toHaveLength(20);
    }
  }, 30_000);
});
