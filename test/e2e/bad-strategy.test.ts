import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { zmqBackend } from "#zmq-backend";
import { eventually } from "../support/eventually.ts";
import { fabric, type Running, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectRefusal } from "./support-refusal.ts";

const root = tempFolder();
const DATA = root.join("data");
let sim: Running;
let market: Running;

beforeAll(async () => {
  sim = start(["sim", "--symbols", "BTCUSDT", "--seed", "9", "--speed", "240"]);
  const url = (await sim.says(/ws:\/\/127\.0\.0\.1:\d+/))[0];
  market = start(["market-data", "--feed", "binance", "--url", url, "--symbols", "BTCUSDT", "--data", DATA]);
  await market.says(/Store /);
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
  await sim[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});

function file(name: string, text: string): string {
  const path = root.join(name);
  writeFileSync(path, text);
  return path;
}

describe("A file that cannot be loaded is refused with 65 as a strategy and as a rule:", () => {
  const bad: readonly (readonly [string, string, string])[] = [
    ["it does not compile", "export default {\n  name: ,\n", "line 2: "],
    [
      "it has no default export",
      "export const strategy = 1;\n",
      "it has no default export; expected `export default define",
    ],
    [
      "its default export is something else",
      "export default { name: 'x' };\n",
      "its default export was not made by define",
    ],
    ["it throws while loading", 'throw new Error("out of luck\\nand more");\n', "out of luck"],
    ["it throws nothing at all while loading", "throw null;\n", "null"],
    ["it imports what is not there", 'import "no-such-package";\n', "no-such-package"],
  ];
  for (const [at, [what, text, message]] of bad.entries()) {
    test.concurrent(what, async () => {
      const path = file(`bad-${at}.ts`, text);
      for (const words of [
        ["runner", "--strategy"],
        ["scanner", "--rule"],
      ]) {
        const done = await fabric([...words, path, "--data", root.join(`unused-${at}`)]);
        expectRefusal(done, 65, /Cannot (load|use) (strategy|scanner rule) \S*bad-\d\.ts: /);
        expect(done.err).toContain(message);
      }
    });
  }

  test("it is not there (66), or a folder", async () => {
    mkdirSync(root.join("folder.ts"));
    for (const words of [
      ["runner", "--strategy"],
      ["scanner", "--rule"],
    ]) {
      expectRefusal(await fabric([...words, root.join("nope.ts")]), 66, "there is no such file");
      expectRefusal(await fabric([...words, root.join("folder.ts")]), 65, "expected a file, found a folder");
    }
  });
});

describe("A strategy that throws in onCandle", () => {
  test("is marked failed and orders no more, while its node lives and says so", async () => {
    const path = file(
      "falls.ts",
      `import { defineStrategy, v } from "fabric";
       export default defineStrategy({
         name: "falls", version: "1", params: v.object({}), warmup: () => 0, init: () => ({ seen: 0 }),
         onCandle({ state }) {
           if (++state.seen > 3) throw new Error("the third was enough");
           return [{ side: "buy", quantity: "0.1" }];
         },
       });`,
    );
    await using runner = start(["runner", "--strategy", path, "--data", DATA]);
    const health = await eventually(() => healthOf("falls", "failed"), 20_000, "health to say failed");
    expect(health.reason).toContain("the third was enough");
    const ordered = await orders("falls");
    expect(ordered).toHaveLength(3);
    const seen = await candles();
    await eventually(async () => (await candles()) > seen + 2, 10_000, "more candles");
    expect(await orders("falls")).toHaveLength(3);
    expect(runner.process.exitCode).toBeNull();
    expect(await runner.stop()).toBe(0);
  }, 45_000);
});

describe("Garbage on the market's socket", () => {
  test("is counted and skipped, and the runner has every candle by the store all the same", async () => {
    const endpoint = `ipc://${root.join("noise.ipc")}`;
    const noise = zmqBackend.openPublisher({
      endpoints: [{ address: endpoint, how: "bind" }],
      sendHighWaterMark: 1000,
    });
    const topic = "market.candle.1m.BTCUSDT";
    const junk = [
      "market.candle.1m.BTCUSDT not json",
      `${topic} {"v":99,"node":"market-data","epoch":"e","seq":1,"sentAt":1}`,
      `${topic} {"v":1,"node":"market-data","epoch":"e","seq":1,"sentAt":1}`,
      `${topic} []`,
      `${topic} null`,
      "market.heartbeat {}",
      "market.heartbeat",
      new Uint8Array([0xff, 0xfe, 0x20, 0xff]),
    ];
    const loud = setInterval(() => {
      for (const each of junk) noise.send(each);
    }, 20);
    try {
      await using runner = start(["runner", "--strategy", "sma-cross", "--data", DATA, "--market", endpoint]);
      const metrics = () => snapshot("telemetry.metrics", (body) => body.node === "sma-cross");
      const found = await eventually(
        async () => {
          const body = await metrics();
          const { values, rails } = body as unknown as Metrics;
          return (values["malformed.total"] ?? 0) > 10 && (rails[0]?.delivered ?? 0) >= 3 ? { values, rails } : null;
        },
        20_000,
        "junk to be counted and candles to be delivered",
      );
      expect(found.rails[0]?.rail).not.toBe("FAST");
      expect(runner.err()).toMatch(/Skipped a message on market\.\S+: /);
      expect(runner.err()).not.toMatch(/this is a bug/);
      expect(await runner.stop()).toBe(0);
    } finally {
      clearInterval(loud);
      noise.close();
    }
  }, 45_000);
});

interface Metrics {
  readonly values: Readonly<Record<string, number>>;
  readonly rails: readonly { readonly rail: string; readonly delivered: number }[];
}

type Body = Readonly<Record<string, unknown>>;

async function healthOf(node: string, state: string): Promise<Body | null> {
  const body = await snapshot(`telemetry.health.${node}`, () => true);
  return body.state === state ? body : null;
}

/** The next message on a topic that is wanted, as fabric tail hears it. */
async function snapshot(topic: string, wanted: (body: Body) => boolean): Promise<Body> {
  const done = await fabric(["tail", topic, "-c", "4", "--json", "--data", DATA], { withinMs: 8000 });
  const bodies = done.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Body);
  return bodies.findLast(wanted) ?? {};
}

async function orders(runner: string): Promise<readonly Body[]> {
  return JSON.parse((await fabric(["orders", "--runner", runner, "--json", "--data", DATA])).out);
}

async function candles(): Promise<number> {
  const done = await fabric(["query", "select count(*) n from candle", "--json", "--data", DATA]);
  return JSON.parse(done.out)[0].n;
}

test("a strategy that throws where nobody can catch it is marked failed, and its node lives", async () => {
  const path = file(
    "stray.ts",
    `import { defineStrategy, v } from "fabric";
export default defineStrategy({ name: "stray", version: "1", params: v.object({}), warmup: () => 0, init: () => ({}),
  onCandle() { setTimeout(() => { throw new Error("boom in a timer"); }, 1); return []; } });\n`,
  );
  await using runner = start(["runner", "--strategy", path, "--data", DATA]);
  await runner.says(/Strategy stray failed: boom in a timer/, 15_000);
  expect(runner.process.exitCode).toBeNull();
  expect(await runner.stop()).toBe(0);
});

test("a bug that nobody catches ends the node with 70, so that it can be restarted", async () => {
  const path = file(
    "stray-rule.ts",
    `import { defineRule } from "fabric";
export default defineRule({ name: "r", init: () => ({}),
  onCandle() { setTimeout(() => { throw new Error("boom in a rule"); }, 1); return null; } });\n`,
  );
  const done = await fabric(["scanner", "--rule", path, "--name", "stray", "--data", DATA]);
  expect(done.code).toBe(70);
  expect(done.err).toContain("boom in a rule");
});
