import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { fabric, type Running, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectRefusal } from "./support-refusal.ts";

const root = tempFolder();
const DATA = root.join("data");
const data = ["--data", DATA];
const LIMITS =
  "--max-position 1 --max-notional none --max-orders-per-minute 50 --max-daily-loss none --price-collar none";
const CONFIGURED = { FABRIC_RUNNER__BROKER_URL: "", FABRIC_RUNNER__KEY_FILE: root.join("keys") };
const running: Running[] = [];

/** Buys, and sells what it got, minute by minute. */
const FLIP = `import { defineStrategy, v } from "fabric";
export default defineStrategy({
  name: "flip", version: "1", params: v.object({}), warmup: () => 0, init: () => ({}),
  onCandle: ({ position }) => [Number(position.quantity) > 0
    ? { side: "sell", quantity: position.quantity, reason: "enough" }
    : { side: "buy", quantity: "0.01", reason: "none yet" }],
});
`;

interface Order {
  readonly clientOrderId: string;
  readonly runner: string;
  readonly status: string;
  readonly mode: string;
  readonly openTime: number;
}

const orders = async (runner: string): Promise<readonly Order[]> =>
  JSON.parse((await fabric(["orders", "--runner", runner, "--json", ...data])).out);
const cli = (...words: string[]) => fabric([...words, ...data]);

beforeAll(async () => {
  mkdirSync(DATA);
  writeFileSync(root.join("flip.ts"), FLIP);
  writeFileSync(root.join("keys"), "fabric-simulated-account-key\nfabric-simulated-account-secret\n", { mode: 0o600 });
  const symbols = ["--symbols", "BTCUSDT,ETHUSDT"];
  const sim = start(["sim", "--port", "0", "--speed", "60", ...symbols, ...data]);
  running.push(sim);
  CONFIGURED.FABRIC_RUNNER__BROKER_URL = `http${(await sim.says(/ws(:\/\/127\.0\.0\.1:\d+)/))[1]}`;
  const market = start(["market-data", "--feed", "sim", ...symbols, ...data]);
  running.push(market, start(["runner", "--strategy", root.join("flip.ts"), ...data, "--symbols", "BTCUSDT"]));
  await eventually(async () => (await orders("flip")).some(({ status }) => status === "filled"), 40_000, "a fill");
}, 60_000);

afterAll(async () => {
  for (const each of running.splice(0)) await each[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});

describe("fabric positions", () => {
  test("prints each runner's holdings at the store's newest close, as rows and as JSON", async () => {
    const [row] = JSON.parse((await cli("positions", "--json")).out);
    expect(Object.keys(row)).toEqual(
      "runner mode symbol quantity averagePrice realisedPnl unrealisedPnl lastPrice lastPriceAt adjustments".split(" "),
    );
    expect([row.runner, row.mode, row.symbol, row.adjustments]).toEqual(["flip", "paper", "BTCUSDT", "0"]);
    expect(row.lastPrice).toBeGreaterThan(0);
    expect((row.lastPriceAt + 1) % 60_000).toBe(0);
    const table = await cli("positions");
    expect(table.out.split("\n")[0]).toMatch(/^runner +mode +symbol +quantity +averagePrice/);
    expect(table.out.split("\n")[2]).toMatch(/^flip +paper +BTCUSDT .*\d{4}-\d\d-\d\dT\d\d:\d\d:59\.999Z/);
    expect(await cli("positions", "--runner", "nobody", "--json")).toMatchObject({ code: 66, out: "" });
  });

  test("prints nothing, and says so, where nothing was traded; a folder without a store has no prices", async () => {
    using folder = tempFolder();
    const done = await fabric(["positions", "--data", folder.path]);
    expect([done.code, done.out, done.err]).toEqual([0, "", `fabric: no positions in ${folder.path}/journal\n`]);
    expect((await fabric(["positions", "--json", "--data", folder.path])).out).toBe("[]\n");
  });

  test("refuses words and flags it does not know", async () => {
    expectRefusal(await cli("positions", "BTCUSDT"), 64, 'Unexpected word "BTCUSDT"');
    expectRefusal(await cli("positions", "--jsn"), 64, 'did you mean "--json"?');
  });
});

describe("fabric explain", () => {
  test("tells candle, decision, intent, order and fills of an order, by the beginning of its id, with their times", async () => {
    const filled = (await orders("flip")).find(({ status }) => status === "filled");
    if (!filled) throw new Error("no order is filled");
    const { clientOrderId, openTime } = filled;
    const told = JSON.parse((await cli("explain", clientOrderId.slice(0, 12), "--json")).out);
    expect(told).toMatchObject({ clientOrderId, runner: "flip", mode: "paper", strategy: "flip", status: "filled" });
    expect(told.candle).toMatchObject({ symbol: "BTCUSDT", openTime, timeframe: "1m" });
    expect(told.candle.opened).toEqual({ ms: openTime, utc: new Date(openTime).toISOString().replace(".000Z", "Z") });
    expect(["none yet", "enough"]).toContain(told.decision.reason);
    expect(told.decision.decided.ms).toBe(openTime + 60_000);
    expect(told.intent.journaled.ms).toBeGreaterThan(told.candle.opened.ms);
    expect(told.order.sentWall.ms).toBeGreaterThanOrEqual(told.intent.journaled.ms);
    expect(told.fills).toHaveLength(1);
    expect(told.fills[0].filled.ms).toBeGreaterThanOrEqual(openTime + 60_000);
    const [stored] = JSON.parse(
      (await cli("query", `from candle where symbol = 'BTCUSDT' and epoch_ms(open_time) = ${openTime}`, "--json")).out,
    );
    expect([told.candle.open, told.candle.close]).toEqual([stored.open, stored.close]);
    const lines = (await cli("explain", clientOrderId)).out.split("\n");
    expect(lines[0]).toBe(`order ${clientOrderId} of flip (paper): filled`);
    expect(lines.slice(3).map((line) => line.split(" ")[0])).toEqual([
      "candle",
      "decision",
      "intent",
      "order",
      "answer",
      "fill",
      "",
    ]);
    expect(lines[3]).toMatch(/^candle +\d{4}-\d\d-\d\dT[^ ]+Z \(\d{13}\) /);
  });

  test("is refused with 66 for an id that is not there, naming the nearest, and 64 for what is none or fits several", async () => {
    const known = await orders("flip");
    const id = known[0]?.clientOrderId ?? "";
    const slip = `${id.slice(0, -2)}zz`;
    expectRefusal(await cli("explain", slip), 66, `There is no order ${slip} in the journals of`);
    expectRefusal(await cli("explain", slip), 66, `did you mean "${id}"?`);
    expectRefusal(await cli("explain", "zzz"), 66, "There is no order zzz");
    expectRefusal(
      await cli("explain", "f"),
      64,
      /Order id f is the beginning of several: f[0-9a-f]{31} \(flip\), .*; give more of it/,
    );
    expectRefusal(await cli("explain", "no-id!"), 64, 'Bad order id "no-id!"');
    expectRefusal(await cli("explain"), 64, "Missing ORDER");
    using folder = tempFolder();
    expectRefusal(await fabric(["explain", id, "--data", folder.path]), 66, `There is no order ${id}`);
  });
});

describe("fabric halt and resume", () => {
  test("stop a living runner's orders with a reason and let them go again; open orders and candles go on", async () => {
    const halted = await cli("halt", "flip", "--reason", "odd fills");
    expect([halted.code, halted.out]).toEqual([0, ""]);
    expect(halted.err).toMatch(
      /^fabric: halted flip: odd fills; nothing more is sent by flip \(process \d+\); orders that are open stay open/,
    );
    const health = async () =>
      JSON.parse((await fabric(["tail", "telemetry.health.flip ", "-c", "1", "--json", ...data])).out);
    expect(await eventually(async () => ((await health()).state === "halted" ? health() : null), 10_000)).toMatchObject(
      {
        mode: "paper",
        reason: "halted: odd fills; orders that are open stay open",
      },
    );
    const rejected = async () => (await orders("flip")).filter(({ status }) => status === "rejected").length;
    const before = await rejected();
    await eventually(async () => (await rejected()) >= before + 2, 15_000, "two decisions rejected");
    expect((await orders("flip")).at(-1)?.status).toBe("rejected");
    const story = JSON.parse((await cli("explain", (await orders("flip")).at(-1)?.clientOrderId ?? "", "--json")).out);
    expect([story.intent.refusal, story.order.outcome]).toEqual(["halted", "rejected, halted: odd fills"]);
    expect((await cli("resume", "flip")).err).toBe("fabric: resumed flip\n");
    await eventually(
      async () => !["rejected"].includes((await orders("flip")).at(-1)?.status ?? ""),
      15_000,
      "an order again",
    );
  }, 60_000);

  test("a halt of all stands above one that is taken back by name", async () => {
    expect((await cli("halt", "--all", "--json")).out).toBe('[{"runner":null,"state":"halted","reason":null}]\n');
    expect((await cli("resume", "flip", "--json")).out).toBe(
      '[{"runner":"flip","state":"halted","reason":null,"was":"not halted"}]\n',
    );
    expect((await cli("resume", "flip")).err).toContain("flip was not halted; it is still halted with all the others");
    expect((await cli("resume", "--all")).err).toBe("fabric: resumed every runner\n");
    expect((await cli("resume", "--all")).err).toBe("fabric: every runner was not halted with --all\n");
  });

  test("a slip of the name is refused with 66, a new name is allowed and said", async () => {
    expectRefusal(await cli("halt", "flp"), 66, `There is no runner "flp" in ${DATA}; did you mean "flip"? (--new`);
    expect(existsSync(root.join("data/halt/flp.json"))).toBe(false);
    expect((await cli("halt", "flp", "--new")).err).toContain(
      "there is no runner of that name yet, and it will start halted",
    );
    rmSync(root.join("data/halt/flp.json"));
    expect((await cli("halt", "somebody-else")).err).toContain("there is no runner of that name yet");
    expectRefusal(await cli("resume", "somebody-els"), 66, 'did you mean "somebody-else"?');
    expect((await cli("resume", "somebody-else")).code).toBe(0);
  });

  test("need a runner or --all, a name that can be one, and a data folder that is there", async () => {
    for (const word of ["halt", "resume"]) {
      expectRefusal(await cli(word), 64, "Missing RUNNER: expected a runner's name, or --all");
      expectRefusal(await cli(word, "flip", "--all"), 64, "Take RUNNER or --all, not both");
      expectRefusal(await cli(word, "../flip"), 64, 'Bad node name "../flip"');
      expectRefusal(await cli(word, "flip", "more"), 64, 'Unexpected word "more"');
      const nowhere = root.join("nowhere");
      expectRefusal(await fabric([word, "flip", "--data", nowhere]), 66, `There is no data folder ${nowhere}`);
      expect(existsSync(nowhere)).toBe(false);
    }
    expectRefusal(await cli("halt", "flip", "--reason"), 64, "Flag --reason needs a value");
  });

  test("a runner that starts halted decides and sends nothing", async () => {
    await cli("halt", "late", "--new", "--reason", "not yet");
    await using late = start([
      "runner",
      "--strategy",
      root.join("flip.ts"),
      "--name",
      "late",
      "--symbols",
      "ETHUSDT",
      ...data,
    ]);
    await late.says(/Strategy flip/);
    await eventually(async () => (await orders("late")).length >= 2, 20_000, "two decisions");
    expect(new Set((await orders("late")).map(({ status }) => status))).toEqual(new Set(["rejected"]));
  }, 30_000);
});

describe("fabric runner --broker binance", () => {
  const words = (...more: string[]) => [
    "runner",
    "--strategy",
    root.join("flip.ts"),
    "--name",
    "real",
    "--symbols",
    "BTCUSDT",
    ...data,
    "--broker",
    "binance",
    ...more,
  ];
  const live = (...more: string[]) => words("--live", ...LIMITS.split(" "), ...more);

  test("is refused with 77 naming everything that is missing: --live, the address, the keys", async () => {
    expectRefusal(
      await fabric(words()),
      77,
      /Cannot send orders to a venue: missing --live, broker-url .*, key-file there/,
    );
    expectRefusal(
      await fabric(live()),
      77,
      /missing broker-url under \[runner\] in fabric\.toml \(or FABRIC_RUNNER__BROKER_URL\), key-file/,
    );
    const { FABRIC_RUNNER__BROKER_URL } = CONFIGURED;
    expectRefusal(await fabric(live(), { env: { FABRIC_RUNNER__BROKER_URL } }), 77, /missing key-file/);
    expectRefusal(await fabric(words(...LIMITS.split(" ")), { env: CONFIGURED }), 77, /missing --live;/);
  });

  test("takes consent only typed, and secrets' files and addresses only configured", async () => {
    const env = { ...CONFIGURED, FABRIC_RUNNER__LIVE: "true" };
    expectRefusal(await fabric(words(...LIMITS.split(" ")), { env }), 78, "--live counts only where it is typed");
    expectRefusal(
      await fabric(live("--key-file", "x")),
      64,
      "--key-file is configuration, not a flag: set key-file under [runner]",
    );
    expectRefusal(await fabric(live("--broker-url", "x")), 64, "FABRIC_RUNNER__BROKER_URL");
    expectRefusal(
      await fabric(["runner", "--strategy", "sma-cross", "--live", ...data]),
      77,
      "--live needs --broker binance and its configuration",
    );
  });

  test("is refused at a live host that the configuration does not name", async () => {
    const env = { ...CONFIGURED, FABRIC_RUNNER__BROKER_URL: "https://api.binance.com" };
    expectRefusal(
      await fabric(live(), { env }),
      77,
      "real money needs the configuration to name that host besides --live",
    );
    const http = { ...CONFIGURED, FABRIC_RUNNER__BROKER_URL: "http://api.binance.com" };
    expectRefusal(await fabric(live(), { env: http }), 64, "expected https://");
  });

  test("is refused where keys are missing, open to others, or none", async () => {
    const keyFile = (path: string) => ({ ...CONFIGURED, FABRIC_RUNNER__KEY_FILE: path });
    expectRefusal(await fabric(live(), { env: keyFile(root.join("none")) }), 66, "there is no file");
    expectRefusal(await fabric(live(), { env: keyFile(root.path) }), 78, "is not a file");
    const shown = root.join("shown");
    writeFileSync(shown, "top-secret-key\ntop-secret-secret\n");
    chmodSync(shown, 0o644);
    const open = await fabric(live(), { env: keyFile(shown) });
    expectRefusal(open, 77, "has mode 0644, and nobody but its owner may read it; chmod 600 it");
    chmodSync(shown, 0o600);
    writeFileSync(shown, "one line only\n");
    expectRefusal(await fabric(live(), { env: keyFile(shown) }), 78, "expected two lines");
    expect(open.err).not.toContain("top-secret");
  });

  test("is refused without limits (78), without symbols (64) and with limits that are none", async () => {
    expectRefusal(
      await fabric(words("--live", "--max-position", "1"), { env: CONFIGURED }),
      78,
      /set --max-notional, --max-orders-per-minute, --max-daily-loss, --price-collar \("none" for no limit\)/,
    );
    const everywhere = live().filter((word) => word !== "--symbols" && word !== "BTCUSDT");
    expectRefusal(await fabric(everywhere, { env: CONFIGURED }), 64, "expected --symbols");
    const bad: readonly (readonly [string, string, RegExp])[] = [
      ["--max-position", "BTCUSDT=", /Bad --max-position ""/],
      ["--max-position", "BTCUSDT=1=2", /Bad --max-position "BTCUSDT=1=2"/],
      ["--max-position", "btc=1", /Bad symbol "btc"/],
      ["--max-position", "-1", /Bad --max-position "-1": expected an amount above zero/],
      ["--max-notional", "1e9", /Bad --max-notional "1e9"/],
      ["--max-notional", "0", /Bad --max-notional "0"/],
      ["--max-orders-per-minute", "0", /from 1 to 1000000/],
      ["--max-orders-per-minute", "1.5", /expected a whole number/],
      ["--max-daily-loss", "lots", /Bad --max-daily-loss "lots"/],
      ["--price-collar", "101", /from 0\.01 to 100/],
      ["--broker", "binanc", /Bad --broker "binanc": expected paper or binance; did you mean "binance"\?/],
    ];
    for (const [flag, value, message] of bad)
      expectRefusal(await fabric(["runner", "--strategy", "sma-cross", ...data, `${flag}=${value}`]), 64, message);
  }, 30_000);

  test("trades at the simulated exchange, says LIVE everywhere, continues after kill -9, and never shares a journal with paper", async () => {
    {
      await using runner = start(live(), { env: CONFIGURED });
      await runner.says(/warn: LIVE: orders go to 127\.0\.0\.1:\d+ \(a test venue, no real money\)/);
      await eventually(async () => (await orders("real")).some(({ status }) => status === "filled"), 30_000, "a fill");
      const [status] = JSON.parse((await cli("status", "--json")).out).filter(
        (node: { node: string }) => node.node === "real",
      );
      expect(status.mode).toBe("live");
      const tail = await fabric(["tail", "telemetry.health.real ", "-c", "1", "--json", ...data]);
      expect(JSON.parse(tail.out)).toMatchObject({ mode: "live", state: "running" });
      const [position] = JSON.parse((await cli("positions", "--runner", "real", "--json")).out);
      expect(position.mode).toBe("live");
      const filled = (await orders("real")).find((order) => order.status === "filled");
      expect((await cli("explain", filled?.clientOrderId ?? "")).out).toContain("of real (LIVE): filled");
      expect(filled?.mode).toBe("live");
      await runner.stop("SIGKILL");
    }
    const before = (await orders("real")).length;
    {
      await using again = start(live(), { env: CONFIGURED });
      await eventually(async () => (await orders("real")).length >= before + 3, 30_000, "orders after a kill");
      expect(again.err()).not.toContain("Halted");
      expect(await again.stop()).toBe(0);
    }
    const ids = (await orders("real")).map(({ clientOrderId }) => clientOrderId);
    expect(new Set(ids).size).toBe(ids.length);
    const paper = ["runner", "--strategy", root.join("flip.ts"), "--name", "real", "--symbols", "BTCUSDT", ...data];
    expectRefusal(
      await fabric(paper),
      77,
      /its mode is live, and this run's is paper; paper and live never share orders, positions or state: start the runner under another --name/,
    );
  }, 90_000);
});
