import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { processesOf, Up } from "../slow/support-up.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SPEED = 120;
const MARKET = ["--symbols", "BTCUSDT,ETHUSDT", "--seed", "7", "--speed", `${SPEED}`];
const MINUTE_MS = 60_000;

describe.skipIf(process.platform !== "linux")("fabric up", () => {
  test("shows its first candle within 10 s, and a Ctrl-C to the whole group stops all in order within 5 s", async () => {
    using folder = tempFolder();
    await using up = Up.start(folder.path, []);
    await up.firstCandle("SOLUSDT");
    const firstCandleMs = performance.now() - up.startedAt;
    await eventually(() => up.nodes().size === 5);
    const nodes = up.nodes();
    const askedAt = performance.now();
    up.signalGroup("SIGINT");
    const order = await orderOfEnds(nodes);
    expect(await up.ended).toBe(0);
    const stopMs = performance.now() - askedAt;
    expect(order).toEqual(["sma-cross", "scanner", "market-data", "sim", "bridge"]);
    expect(up.log).toContain("dashboard: http://127.0.0.1:");
    expect(up.log).not.toContain("restarting");
    expect(stopMs).toBeLessThan(5000);
    expect(firstCandleMs).toBeLessThan(10_000);
    expect(leftovers(folder.path)).toEqual([]);
  }, 40_000);

  test("Invariant 10 (any node at any time): goes on where its run folder is deleted, and a second up on the folder stays refused (77)", async () => {
    using folder = tempFolder();
    const run = join(folder.path, "run");
    await using up = Up.start(folder.path, MARKET);
    await up.firstCandle("BTCUSDT");
    await eventually(() => up.nodes().size === 5);
    const nodes = up.nodes();
    rmSync(run, { recursive: true });
    const alive = async () => JSON.parse((await fabric(["status", "--json", "--data", folder.path])).out).length === 5;
    await eventually(alive, 15_000, "five nodes to be found again");
    await eventually(() => existsSync(join(run, "up.lock")));
    const second = await fabric(["up", "--data", folder.path, "--port", "0", "--for", "1s"]);
    expect([second.code, second.err]).toEqual([77, expect.stringContaining("another fabric up runs on")]);
    const newest = (await up.candles("BTCUSDT")).at(-1)?.openTime ?? 0;
    await up.until(
      async () => ((await up.candles("BTCUSDT")).at(-1)?.openTime ?? 0) > newest,
      15_000,
      "candles to come",
    );
    expect(up.nodes()).toEqual(nodes);
    up.signalGroup("SIGINT");
    expect(await up.ended).toBe(0);
    expect(leftovers(folder.path)).toEqual([]);
  }, 60_000);

  test("runs its strategies on paper, whatever broker the configuration names: its market is simulated", async () => {
    using folder = tempFolder();
    const up = await fabric(["up", "--data", folder.path, "--port", "0", "--for", "8s"], {
      withinMs: 40_000,
      env: { FABRIC_RUNNER__BROKER: "binance" },
    });
    expect([up.code, up.out + up.err]).toEqual([0, expect.stringMatching(/Strategy sma-cross .*paper/)]);
  }, 50_000);

  test("continues the same market: its time stands while up is down, and nothing is missing or twice", async () => {
    using folder = tempFolder();
    await using first = Up.start(folder.path, [...MARKET, "--for", "5s"]);
    const ran = performance.now();
    expect(await first.ended).toBe(0);
    expect(performance.now() - ran).toBeGreaterThanOrEqual(4900);
    const stoppedAt = exchangeTime(folder.path);
    const before = await candles(folder.path);

    for (const [flag, value, kept] of [
      ["--seed", "8", "7"],
      ["--speed", "60", "120"],
      ["--symbols", "BTCUSDT", "BTCUSDT,ETHUSDT"],
    ] as const) {
      const refused = await fabric(["up", "--data", folder.path, "--port", "0", flag, value]);
      expect(refused.code).toBe(77);
      expect(refused.err).toContain(`${flag} ${value}: it runs with ${kept}; leave ${flag} out`);
    }

    const again = ["--symbols", "ETHUSDT,BTCUSDT", "--seed", "7", "--speed", "120", "--for", "4s"];
    await using second = Up.start(folder.path, again);
    expect(await second.ended).toBe(0);
    const upMs = performance.now() - second.startedAt;
    const wentOn = exchangeTime(folder.path) - stoppedAt;
    expect(wentOn).toBeGreaterThan(0);
    expect(wentOn).toBeLessThanOrEqual(upMs * SPEED);

    const after = await candles(folder.path);
    expect(after.length).toBeGreaterThan(before.length);
    expect(holesAndDoubles(after)).toEqual([]);
    const orders = await rowsOf(["orders", "--json", "--data", folder.path]);
    const ids = orders.map((order) => order.clientOrderId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(leftovers(folder.path)).toEqual([]);
  }, 60_000);

  test("when it is killed with -9 its children end by themselves and leave nothing that a new one trips over", async () => {
    using folder = tempFolder();
    await using killed = Up.start(folder.path, MARKET);
    await killed.firstCandle("BTCUSDT");
    await eventually(() => killed.nodes().size === 5);
    killed.signal("SIGKILL");
    await killed.ended;
    await eventually(() => processesOf(folder.path).length === 0, 5000, "every child to be gone");
    expect(leftovers(folder.path)).toEqual([]);

    await using next = Up.start(folder.path, []);
    await next.firstCandle("BTCUSDT");
    next.signalGroup("SIGTERM");
    expect(await next.ended).toBe(0);
    expect(next.log).not.toMatch(/restarting|runs under that name/);
    expect(processesOf(folder.path)).toEqual([]);
    expect(leftovers(folder.path)).toEqual([]);
    expect(holesAndDoubles(await candles(folder.path))).toEqual([]);
  }, 60_000);

  test("two run side by side, one in a folder too deep for sockets; a third on the same port or folder is told so at once", async () => {
    using folder = tempFolder();
    using sockets = tempFolder();
    const deep = join(folder.path, "deep".repeat(20), "deeper".repeat(10));
    mkdirSync(deep, { recursive: true });
    const env = { XDG_RUNTIME_DIR: sockets.path };
    await using one = Up.start(folder.join("one"), MARKET);
    await using other = Up.start(deep, ["--seed", "3", ...MARKET.slice(0, 2)], env);
    await Promise.all([one.firstCandle("BTCUSDT"), other.firstCandle("BTCUSDT")]);

    const samePort = await fabric(["up", "--data", folder.join("third"), "--port", `${one.port}`]);
    expect(samePort.code).toBe(69);
    expect(samePort.err).toContain(`127.0.0.1:${one.port}`);
    expect(samePort.err.trim().split("\n")).toHaveLength(1);
    expect(existsSync(folder.join("third", "up.json"))).toBe(false);
    const sameFolder = await fabric(["up", "--data", folder.join("one"), "--port", "0"]);
    expect(sameFolder.code).toBe(77);
    expect(sameFolder.err).toContain("another fabric up runs on");

    one.signalGroup("SIGHUP");
    other.signalGroup("SIGINT");
    expect(await one.ended).toBe(0);
    expect(await other.ended).toBe(0);
    expect(leftovers(folder.join("one"))).toEqual([]);
    expect(leftovers(deep)).toEqual([]);
    const strays = readdirSync(sockets.path, { recursive: true }).filter((name) => `${name}`.endsWith(".ipc"));
    expect(strays).toEqual([]);
  }, 60_000);

  test("a role that cannot work (its name is taken) stays down, which is said; the rest goes on, and up exits with its code", async () => {
    using folder = tempFolder();
    await using holder = start(["runner", "--strategy", "sma-cross", "--data", folder.path]);
    await holder.says(/Strategy sma-cross/);
    await using up = Up.start(folder.path, MARKET);
    await up.says(/sma-cross +\| exited with 77; a restart would not help/);
    await up.firstCandle("ETHUSDT");
    expect(up.log.match(/Cannot start as "sma-cross"/g)).toHaveLength(1);
    up.signal("SIGINT");
    expect(await up.ended).toBe(77);
    expect(await holder.stop()).toBe(0);
    expect(leftovers(folder.path)).toEqual([]);
  }, 40_000);
});

/** Names of the nodes in the order in which their processes were gone. */
async function orderOfEnds(nodes: ReadonlyMap<string, number>): Promise<readonly string[]> {
  const order: string[] = [];
  const left = new Map(nodes);
  await eventually(
    () => {
      for (const [name, pid] of left) {
        if (existsSync(`/proc/${pid}`)) continue;
        order.push(name);
        left.delete(name);
      }
      return left.size === 0;
    },
    10_000,
    "every node to be gone",
  );
  return order;
}

/** Sockets and advertisements that a stopped fabric must not leave. */
function leftovers(data: string): readonly string[] {
  return readdirSync(join(data, "run")).filter((name) => name.endsWith(".ipc") || name.endsWith(".json"));
}

function exchangeTime(data: string): number {
  return (JSON.parse(readFileSync(join(data, "sim.json"), "utf8")) as { newestExchangeMs: number }).newestExchangeMs;
}

type Row = Readonly<Record<string, string | number | null>>;

function candles(data: string): Promise<readonly Row[]> {
  const sql = "SELECT symbol, epoch_ms(open_time) AS t FROM candle ORDER BY symbol, open_time";
  return rowsOf(["query", sql, "--json", "--data", data]);
}

async function rowsOf(words: readonly string[]): Promise<readonly Row[]> {
  const { code, out, err } = await fabric(words);
  if (code !== 0) throw new Error(`${words[0]} exited with ${code}: ${err}`);
  return JSON.parse(out) as Row[];
}

/** Where a symbol's minutes do not follow each other. */
function holesAndDoubles(rows: readonly Row[]): readonly string[] {
  const found: string[] = [];
  rows.forEach((row, index) => {
    const before = rows[index - 1];
    if (before?.symbol === row.symbol && Number(row.t) - Number(before?.t) !== MINUTE_MS)
      found.push(`${row.symbol} ${before?.t} → ${row.t}`);
  });
  return found;
}
