import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { DENO_CASES } from "../deno/cases.ts";
import { denoProgram } from "../deno/deno.ts";
import { deliveryOf, digestFor, railsOf } from "../deno/digests.ts";
import {
  candlesOf,
  eventKinds,
  leftovers,
  MARKET_START_MS,
  missingFromTruth,
  SYMBOLS,
  troubleIn,
} from "../deno/looks.ts";
import { bun, deno, type Ended, Program } from "../deno/program.ts";
import { hasRecordings, recordedKlines, SPOT } from "../feed/support.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { freePort, processesOf } from "./support-up.ts";

const executable = await denoProgram();
const onDeno = deno(executable ?? "no-deno");
const onBun = bun();
const RUNTIMES = [
  { one: onBun, other: onDeno },
  { one: onDeno, other: onBun },
];

/** A user's strategy that trades on every candle, in turn, so that a few seconds give orders. */
const EVERY_CANDLE = `
import { type Candle, defineStrategy, v } from "fabric";
interface State { seen: Candle | null }
export default defineStrategy({
  name: "every-candle",
  version: "1",
  params: v.object({ quantity: v.optional(v.string(), "0.01") }),
  warmup: () => 1,
  init: (): State => ({ seen: null }),
  onCandle({ candle, state, position, params }) {
    const first = state.seen === null;
    state.seen = candle;
    return first ? [] : [{ side: position.quantity === "0" ? "buy" : "sell", quantity: params.quantity }];
  },
});
`;

/** Data folders of the running test; no process may be left that names one. */
const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0))
    await eventually(() => processesOf(folder).length === 0, 5000, "no process left");
});

describe.skipIf(executable === null)("zmq on Deno", () => {
  let ran: Ended;
  beforeAll(async () => {
    await using suite = onDeno.start("test/deno/zmq.ts", []);
    ran = await suite.endsWithin(40_000);
  }, 45_000);

  for (const { title } of DENO_CASES) test(title, () => expect(ran.out).toContain(`ok      ${title}\n`));

  test("the suite's process ends by itself and has nothing to say on stderr", () => {
    expect(ran.out).toContain(`deno-ffi: ${DENO_CASES.length} passed, 0 failed`);
    expect({ code: ran.code, err: ran.err }).toEqual({ code: 0, err: "" });
  });

  for (const how of ["normal", "publisher-first", "publisher-open", "reopen", "exit"]) {
    test(`a process exits by itself after close (${how})`, async () => {
      await using child = onDeno.start("test/zmq/fixtures/ends-by-itself.ts", [how]);
      expect(await child.endsWithin(5000)).toEqual({ code: 0, out: how === "exit" ? "" : "closed\n", err: "" });
    });
  }

  for (const { one, other } of RUNTIMES) {
    for (const transport of ["tcp", "ipc"]) {
      test(`a ${one.name} subscriber hears again after its ${other.name} publisher was killed with -9 and came back over ${transport}`, async () => {
        using folder = tempFolder();
        const wanted = transport === "tcp" ? "tcp://127.0.0.1:0" : `ipc://${folder.join("x.ipc")}`;
        await using first = other.start("test/zmq/fixtures/publisher.ts", [wanted, "x"]);
        const [address] = await first.says(/\S+:\/\/\S+/);
        await using subscriber = one.start("test/deno/fixtures/listen.ts", [address]);
        await subscriber.says(/^heard\n/m);
        first.signal("SIGKILL");
        await Promise.all([first.ended, subscriber.says(/^disconnected\n/m)]);
        await using second = other.start("test/zmq/fixtures/publisher.ts", [address, "x"]);
        await second.says(/:\/\//);
        await subscriber.says(/^disconnected\n(.+\n)*heard\n/m);
        expect(subscriber.err).toBe("");
      }, 20_000);
    }
  }
});

describe.skipIf(executable === null)("one folder, two runtimes", () => {
  for (const { one, other } of RUNTIMES) {
    test(`a name held on ${one.name}, through forced collections, is refused on ${other.name} until the holder is killed with -9`, async () => {
      using folder = tempFolder();
      const look = async () => {
        await using looker = other.start("test/deno/fixtures/hold-lock.ts", [folder.path]);
        return (await looker.says(/held|refused/))[0];
      };
      await using holder = one.start("test/deno/fixtures/hold-lock.ts", [folder.path]);
      await holder.says(/held/);
      expect(await look()).toBe("refused");
      holder.signal("SIGKILL");
      await holder.ended;
      expect(await look()).toBe("held");
    });

    test(`a node on ${one.name} and its pid are seen on ${other.name}: a second market-data exits 69, a runner of the same name 77`, async () => {
      using folder = tempFolder();
      folders.push(folder.path);
      const data = ["--data", folder.path];
      const words = ["market-data", "--feed", "sim", "--symbols", "BTCUSDT", ...data];
      const runner = ["runner", "--strategy", "sma-cross", "--name", "r", ...data];
      await using sim = one.start("cmd/fabric.ts", ["sim", "--symbols", "BTCUSDT", "--speed", "60", ...data]);
      await using market = one.start("cmd/fabric.ts", words);
      await using trader = one.start("cmd/fabric.ts", runner);
      await Promise.all([market.says(/Store \S+ at row 0/), trader.says(/Strategy sma-cross/), sim.says(/Listening/)]);
      const [second, namesake] = await Promise.all([other.fabric(words), other.fabric(runner)]);
      expect(second.code).toBe(69);
      expect(second.err).toContain(`process ${market.pid} holds it as market-data`);
      expect(namesake.code).toBe(77);
      expect(namesake.err).toContain(`Cannot start as "r": process ${trader.pid} runs under that name`);
      for (const node of [trader, market, sim]) expect((await node.stop()).code).toBe(0);
    }, 30_000);
  }

  test("market-data on Bun feeds a runner on Deno and they agree by digest, also after both have changed runtimes", async () => {
    using folder = tempFolder();
    folders.push(folder.path);
    const data = ["--data", folder.path];
    const strategy = folder.join("every-candle.ts");
    writeFileSync(strategy, EVERY_CANDLE);
    const market = [
      "market-data",
      "--feed",
      "sim",
      "--symbols",
      SYMBOLS.join(),
      "--publish",
      "tcp://127.0.0.1:0",
      ...data,
    ];
    const runner = ["runner", "--strategy", strategy, "--name", "r", ...data];
    await using sim = onBun.start("cmd/fabric.ts", ["sim", "--symbols", SYMBOLS.join(), "--speed", "60", ...data]);
    let deliveredBefore = 0;
    for (const { one, other } of RUNTIMES) {
      await using publishing = one.start("cmd/fabric.ts", market);
      await using trading = other.start("cmd/fabric.ts", runner);
      const rails = await trading.until(
        async () => {
          const found = await railsOf("r", other, folder.path);
          const enough = found.every((rail) => rail.rail === "FAST" && rail.delivered >= deliveredBefore + 5);
          return found.length === SYMBOLS.length && enough ? found : null;
        },
        20_000,
        `the runner on ${other.name} to be on the fast rail`,
      );
      const delivery = await deliveryOf(one, folder.path);
      for (const rail of rails) expect(digestFor(rail, delivery)).toBe(rail.digest);
      deliveredBefore = Math.max(...rails.map((rail) => rail.delivered));
      for (const node of [trading, publishing]) {
        const { code, err } = await node.stop();
        expect({ code, trouble: troubleIn(err) }).toEqual({ code: 0, trouble: [] });
      }
    }
    expect((await sim.stop()).code).toBe(0);
    const orders = await onDeno.rows(["orders", "--json", ...data]);
    expect(orders).toEqual(await onBun.rows(["orders", "--json", ...data]));
    expect(new Set(orders.map((order) => order.clientOrderId)).size).toBe(orders.length);
    expect(orders.filter((order) => order.status === "filled").length).toBeGreaterThan(SYMBOLS.length * 5);
  }, 60_000);
});

describe.skipIf(executable === null)("fabric on Deno", () => {
  test("the compiler of Deno finds no fault in the program", async () => {
    await using check = new Program(
      [executable ?? "", "check", "cmd/fabric.ts", "test/deno/zmq.ts"],
      `${import.meta.dir}/../..`,
    );
    const { code, err } = await check.endsWithin(60_000);
    expect({ code, err: err.replace(/^Check .*\n/gm, "") }).toEqual({ code: 0, err: "" });
  }, 65_000);

  test("commands that need no node answer as they do on Bun, from any folder, and say nothing on stderr", async () => {
    using folder = tempFolder();
    const commands = [
      ["--version"],
      ["--help"],
      ["runner", "--help"],
      ["licences"],
      ["sim", "--truth", "--minutes", "30", "--json"],
    ];
    for (const words of commands) {
      const [there, here] = await Promise.all([onBun, onDeno].map((each) => each.fabric(words, { cwd: folder.path })));
      expect(here?.err).toBe("");
      expect(here).toEqual(there as Ended);
    }
    const wrong = await onDeno.fabric(["runer"]);
    expect(wrong).toEqual({ code: 64, out: "", err: expect.stringContaining("did you mean") });
    expect(readdirSync(folder.path)).toEqual([]);
  }, 30_000);

  test("a strategy file that cannot be loaded exits 65 with one line that says where", async () => {
    using folder = tempFolder();
    const file = folder.join("bad.ts");
    const faults: readonly (readonly [string, RegExp])[] = [
      ["export const one = 1;\nconst two = ;\n", /line 2: .*Expression expected/],
      ['import { nothing } from "fabric";\nexport default nothing;\n', /does not provide an export named 'nothing'/],
      ["export default 3;\n", /not made by defineStrategy/],
      ['throw new Error("at load");\n', /: at load$/m],
    ];
    for (const [text, said] of faults) {
      writeFileSync(file, text);
      const { code, out, err } = await onDeno.fabric(["runner", "--strategy", file, "--data", folder.join("data")]);
      expect({ code, out, lines: err.trim().split("\n").length }).toEqual({ code: 65, out: "", lines: 1 });
      expect(err).toMatch(said);
    }
  }, 30_000);

  test.skipIf(!hasRecordings)(
    "a replay of the spot recording equals the exchange's own klines in every field",
    async () => {
      using folder = tempFolder();
      const file = `${SPOT}/spot_btcusdt.trades.ws.txt.gz`;
      const words = ["market-data", "--feed", "replay", "--file", file, "--symbols", "BTCUSDT", "--data", folder.path];
      const { code, err } = await onDeno.fabric(words);
      expect({ code, trouble: troubleIn(err) }).toEqual({ code: 0, trouble: [] });
      const sql = `SELECT epoch_ms(open_time) AS t, open, high, low, close, volume FROM candle WHERE provenance = 'complete' ORDER BY t`;
      const rows = await onDeno.rows(["query", sql, "--json", "--data", folder.path]);
      const klines = recordedKlines(SPOT);
      expect(rows).toHaveLength(10);
      for (const { t, ...figures } of rows) expect(figures).toEqual({ ...klines.get(Number(t))?.figures });
    },
    30_000,
  );

  test("up --for 20s with a user's strategy: candles equal to the exchange's, events, page, commands, clean log, nothing left", async () => {
    using folder = tempFolder();
    folders.push(folder.join("data"));
    const data = ["--data", folder.join("data")];
    const strategy = folder.join("every-candle.ts");
    writeFileSync(strategy, EVERY_CANDLE);
    const port = freePort();
    const words = [
      "up",
      "--port",
      `${port}`,
      ...data,
      "--for",
      "20s",
      "--strategy",
      "sma-cross",
      "--strategy",
      strategy,
    ];
    await using up = onDeno.start("cmd/fabric.ts", words, folder.path);
    const address = `http://127.0.0.1:${port}`;
    const first = async () => (await candlesOf(address, "BTCUSDT")).at(0);
    await up.until(first, 10_000, "a candle on the page");

    const kinds = await eventKinds(`${address}/api/telemetry/stream`, [
      "health",
      "metrics",
      "candle",
      "positions",
      "logs",
    ]);
    expect([...kinds]).toEqual(expect.arrayContaining(["health", "metrics", "candle"]));
    const page = await fetch(`${address}/`);
    expect(await page.text()).toContain("<title>fabric");
    expect((await fetch(`${address}/assets/app.js`)).status).toBe(200);

    const [tail, nodes] = await Promise.all([
      onDeno.fabric(["tail", "-c", "3", ...data]),
      onDeno.fabric(["status", ...data]),
    ]);
    expect({ ...tail, out: tail.out.trim().split("\n").length }).toEqual({ code: 0, out: 3, err: "" });
    expect(nodes.err).toBe("");
    for (const node of ["sim", "market-data", "scanner", "bridge", "sma-cross", "every-candle"])
      expect(nodes.out).toMatch(new RegExp(`^${node} `, "m"));

    const { code, err } = await up.endsWithin(30_000);
    expect({ code, trouble: troubleIn(err) }).toEqual({ code: 0, trouble: [] });
    expect(leftovers(folder.join("data"))).toEqual([]);
    expect(await missingFromTruth(folder.join("data"), onDeno, onBun)).toEqual([]);
    const orders = await onDeno.rows(["orders", "--json", ...data]);
    const filled = orders.filter((order) => order.runner === "every-candle" && order.status === "filled");
    expect(filled.length).toBeGreaterThan(SYMBOLS.length * 3);
  }, 60_000);

  test("up restarts a role that was killed with -9; a Ctrl-C to the group stops all within 5 s, and so does the death of up", async () => {
    using folder = tempFolder();
    folders.push(folder.path);
    const words = ["up", "--data", folder.path];
    const port = freePort();
    await using up = onDeno.start("cmd/fabric.ts", [...words, "--port", `${port}`]);
    const newest = async () => Number((await candlesOf(`http://127.0.0.1:${port}`, "BTCUSDT")).at(-1)?.openTime);
    const reached = async (time: number) => (await newest()) > time;
    await up.until(() => reached(MARKET_START_MS), 15_000, "the market's own candles on the page");
    const before = await newest();
    const [market] = processesOf(folder.path).filter((each) => each.words.includes("market-data"));
    process.kill(market?.pid ?? 0, "SIGKILL");
    await up.says(/market-data +\| was killed by SIGKILL; restarting in 250 ms/);
    await up.says(/market-data +\| \S+ market-data Store \S+ at row [1-9]/);
    await up.until(() => reached(before + 60_000), 15_000, "newer candles on the page");
    up.signalGroup("SIGINT");
    expect((await up.endsWithin(5000)).code).toBe(0);
    expect(leftovers(folder.path)).toEqual([]);
    expect(await missingFromTruth(folder.path, onDeno, onBun)).toEqual([]);

    await using killed = onDeno.start("cmd/fabric.ts", [...words, "--port", `${freePort()}`]);
    await killed.says(/market-data Store \S+ at row [1-9]/);
    killed.signal("SIGKILL");
    await eventually(() => processesOf(folder.path).length === 0, 5000, "every child to be gone");
    expect(leftovers(folder.path)).toEqual([]);
  }, 60_000);
});
