import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DEFAULT_START_MS, simTruth } from "../../src/feed/sim/truth.ts";
import { eventually } from "../support/eventually.ts";
import { FABRIC, fabric, type Running, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectRefusal } from "./support-refusal.ts";

const SYMBOLS = ["--symbols", "BTCUSDT,ETHUSDT"];
const FIGURES =
  "symbol, open_time, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume, first_trade_id, last_trade_id";

async function exchange(...more: readonly string[]): Promise<Running & { readonly url: string }> {
  const sim = start(["sim", ...SYMBOLS, ...more]);
  const url = (await sim.says(/ws:\/\/127\.0\.0\.1:\d+/))[0];
  return Object.assign(sim, { url });
}

function recorder(url: string, file: string, ...more: readonly string[]): Running {
  return start(["record", "--venue", "binance-spot", "--url", url, ...SYMBOLS, "-o", file, ...more]);
}

async function replayed(data: string, files: readonly string[], speed: string): Promise<string> {
  const named = files.flatMap((file) => ["--file", file]);
  const done = await fabric(
    ["market-data", "--feed", "replay", ...named, ...SYMBOLS, "--speed", speed, "--data", data],
    {
      withinMs: 60_000,
    },
  );
  expect([done.code, done.err]).toEqual([0, expect.stringContaining("Replay ended")]);
  return done.err;
}

/** Rows as CSV text, one a line. */
async function rows(data: string, columns: string, rest: string): Promise<readonly string[]> {
  const done = await fabric(["query", `SELECT ${columns} FROM candle ${rest}`, "--csv", "--data", data]);
  expect([done.code, done.err]).toEqual([0, ""]);
  return done.out.trimEnd().split("\r\n").slice(1);
}

const wholeRows = (data: string) =>
  rows(data, FIGURES, "WHERE provenance IN ('complete', 'empty') ORDER BY symbol, open_time");

const messagesIn = (file: string) => (existsSync(file) ? linesIn(file).filter((line) => /^\d/.test(line)).length : 0);
const linesIn = (file: string) => gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
const notesIn = (file: string) =>
  linesIn(file)
    .filter((line) => line.startsWith("# "))
    .map((line) => JSON.parse(line.slice(line.indexOf("{"))) as { note: string; reason?: string });

test("what is recorded beside market-data replays to its candles, at max and at 600 times to the same rows, and sim plays it", async () => {
  using folder = tempFolder();
  const [file, live] = [folder.join("a.gz"), folder.join("live")];
  await using sim = await exchange("--speed", "120");
  await using record = recorder(sim.url, file, "--json");
  const words = ["--feed", "binance", "--url", sim.url, ...SYMBOLS, "--history", "0", "--data", live];
  await using node = start(["market-data", ...words]);
  await eventually(async () => (await wholeRows(live)).length >= 16, 30_000);
  expect(await record.stop("SIGINT")).toBe(0);
  await record.drained;
  await node.stop();
  const told = JSON.parse(record.out());
  expect(told).toMatchObject({ venue: "binance-spot", reconnects: 0, interruptions: 0, bytes: statSync(file).size });
  expect(told.messages).toBe(messagesIn(file));
  const names = notesIn(file).map(({ note }) => note);
  expect(names.slice(0, 5)).toEqual(["recording", "opened", "sent", "connected", "heard"]);
  expect(names.at(-1)).toBe("ended");

  const [fast, paced] = [folder.join("fast"), folder.join("paced")];
  await replayed(fast, [file], "max");
  await replayed(paced, [file], "600");
  const stored = await rows(fast, "*", "ORDER BY commit_seq");
  expect(await rows(paced, "*", "ORDER BY commit_seq")).toEqual(stored);
  const whole = await wholeRows(fast);
  const liveRows = new Map(
    (await rows(live, `${FIGURES}, provenance`, "")).map((row) => [row.split(",").slice(0, 2).join(), row.split(",")]),
  );
  let both = 0;
  for (const row of whole.map((one) => one.split(","))) {
    const other = liveRows.get(row.slice(0, 2).join());
    // At either end one of the two listened alone; a minute that the node had from klines has no trade ids.
    if (other === undefined || other.at(-1) === "partial") continue;
    const figures = other.at(-1) === "backfilled" ? -2 : row.length;
    expect(row.slice(0, figures)).toEqual(other.slice(0, -1).slice(0, figures));
    both++;
  }
  expect(both).toBeGreaterThanOrEqual(12);

  await using player = await exchange("--file", file, "--speed", "120");
  await using ear = recorder(player.url, folder.join("again.gz"));
  await eventually(() => messagesIn(folder.join("again.gz")) > 100, 10_000);
  expect(await ear.stop()).toBe(0);
}, 120_000);

test("killed with -9 it leaves what came until the last second, readable by anyone and replayed", async () => {
  using folder = tempFolder();
  const file = folder.join("a.gz");
  await using sim = await exchange("--speed", "240");
  await using record = recorder(sim.url, file);
  await eventually(() => messagesIn(file) > 1500, 20_000);
  const killedMs = Date.now();
  await record.stop("SIGKILL");
  const lines = linesIn(file);
  const last = Number(lines.at(-1)?.match(/\d{19}/)?.[0]) / 1e6;
  expect(killedMs - last).toBeLessThan(1000);
  expect(notesIn(file).some(({ note }) => note === "ended")).toBe(false);
  if (Bun.which("gzip") !== null) expect(spawnSync("gzip", ["-t", file]).status).toBe(0);
  const data = folder.join("data");
  await replayed(data, [file], "max");
  expect((await wholeRows(data)).length).toBeGreaterThan(4);
  // Cut inside its last piece, as a machine that loses power may leave it.
  const bytes = readFileSync(file);
  writeFileSync(folder.join("cut.gz"), bytes.subarray(0, bytes.length - 20));
  const said = await replayed(folder.join("cut"), [folder.join("cut.gz")], "max");
  expect(said).toMatch(/ends early or is damaged/);
  expect(said).toMatch(/files\.damaged\.total=1/);
  expect((await wholeRows(folder.join("cut"))).length).toBeGreaterThan(4);
}, 60_000);

test("a venue that goes away and comes back is an interruption in the replay: its minute is partial, a gap or repaired by id, none is made up", async () => {
  using folder = tempFolder();
  const file = folder.join("a.gz");
  const kept = ["--data", folder.join("venue"), "--speed", "60"];
  await using sim = await exchange(...kept);
  const port = new URL(sim.url).port;
  await using record = recorder(sim.url, file, "--json");
  await eventually(() => messagesIn(file) > 700, 30_000);
  await sim.stop("SIGKILL");
  await record.says(/Connecting again/);
  await using back = await exchange(...kept, "--port", port);
  const before = messagesIn(file);
  await eventually(() => messagesIn(file) > before + 700, 30_000);
  expect(await record.stop("SIGTERM")).toBe(0);
  await record.drained;
  expect(JSON.parse(record.out())).toMatchObject({ interruptions: 1 });
  const names = notesIn(file).map(({ note }) => note);
  expect(names.filter((note) => note === "interrupted")).toHaveLength(1);
  expect(names.filter((note) => note === "connected")).toHaveLength(2);
  await back.stop();
  const data = folder.join("data");
  expect(await replayed(data, [file], "max")).toMatch(/interruptions\.total=1/);
  const found = await rows(
    data,
    "symbol, epoch_ms(open_time), volume, trades",
    "WHERE provenance IN ('complete', 'empty')",
  );
  const truth = new Map(
    [...simTruth({ seed: 1, symbols: ["BTCUSDT", "ETHUSDT"], startMs: DEFAULT_START_MS, minutes: 600 })].map((row) => [
      `${row.symbol},${row.openTime}`,
      `${row.volume},${row.trades}`,
    ]),
  );
  for (const row of found) {
    const [symbol, openTime, volume, trades] = row.split(",");
    expect([row, `${Number(volume)},${trades}`]).toEqual([
      row,
      truth.get(`${symbol},${openTime}`) ?? "not in the market",
    ]);
  }
  for (const [symbol, whole] of Map.groupBy(found, (row) => row.split(",")[0]))
    expect([symbol, whole.length > 4]).toEqual([symbol, true]);
}, 90_000);

test("what cannot be recorded is refused in one line, with the house's exit codes, and leaves no file", async () => {
  using folder = tempFolder();
  await using sim = await exchange("--speed", "60");
  const file = folder.join("a.gz");
  const at = (url: string, ...more: readonly string[]) => ["record", "--venue", "binance-spot", "--url", url, ...more];
  const words = (...more: readonly string[]) => at(sim.url, ...more);
  writeFileSync(folder.join("there.gz"), "mine");
  mkdirSync(folder.join("folder.gz"));
  const cases: readonly (readonly [readonly string[], number, string | RegExp])[] = [
    [["record"], 64, "Missing --venue"],
    [["record", "--venue", "binance-spot", "-o", file], 64, "Missing --symbols"],
    [words(...SYMBOLS), 64, "Missing --output"],
    [["record", "--venue", "krakn", ...SYMBOLS, "-o", file], 64, 'Unknown venue "krakn"'],
    [words("--symbols", "btc", "-o", file), 64, 'Bad symbol "btc"'],
    [words("--symbols", "NOPE", "-o", file), 64, "Unknown symbol NOPE"],
    [words(...SYMBOLS, "-o", folder.join("a.txt")), 64, "expected a name that ends in .gz"],
    [words(...SYMBOLS, "-o", file, "--for", "25d"), 64, 'Bad --for "25d": expected at most 24d'],
    [at("http://x", ...SYMBOLS, "-o", file), 64, 'Bad --url "http://x"'],
    [words(...SYMBOLS, "-o", folder.join("folder.gz")), 64, "expected a file's name, found a folder"],
    [words(...SYMBOLS, "-o", folder.join("no/a.gz")), 66, /there is no folder .*no$/],
    [words(...SYMBOLS, "-o", folder.join("there.gz")), 77, "the file is there, and is never overwritten"],
    [at("ws://127.0.0.1:1", ...SYMBOLS, "-o", file, "--for", "300ms"), 69, "Nothing came of BTCUSDT, ETHUSDT"],
  ];
  for (const [given, code, message] of cases) {
    expectRefusal(await fabric(given), code, message);
  }
  expect(readdirSync(folder.path).sort()).toEqual(["folder.gz", "there.gz"]);
  expect(readFileSync(folder.join("there.gz"), "utf8")).toBe("mine");
}, 60_000);

test("Kraken's trades are recorded and replayed, too; a symbol that it refuses is left out and named, and refused alone it is an error", async () => {
  using folder = tempFolder();
  await using sim = start(["sim", "--venue", "kraken", "--symbols", "BTC/USD,ETH/USD", "--speed", "120"]);
  const url = (await sim.says(/ws:\/\/127\.0\.0\.1:\d+/))[0];
  const file = folder.join("a.gz");
  const at = (symbols: string, path: string) => [
    "record",
    "--venue",
    "kraken",
    "--url",
    url,
    "--symbols",
    symbols,
    "-o",
    path,
  ];
  await using record = start(at("BTC/USD,NOPE/USD,ETH/USD", file));
  await record.says(/error: Cannot record NOPE\/USD: \w/);
  await eventually(() => messagesIn(file) > 600, 30_000);
  expect(await record.stop("SIGINT")).toBe(0);
  const refused = notesIn(file).filter(({ note }) => note === "refused");
  expect(refused).toEqual([expect.objectContaining({ symbols: ["NOPE/USD"] })]);
  const words = ["market-data", "--feed", "replay", "--file", file, "--symbols", "BTC/USD,ETH/USD"];
  expect((await fabric([...words, "--data", folder.join("data")])).code).toBe(0);
  const whole = await wholeRows(folder.join("data"));
  expect(new Set(whole.map((row) => row.split(",")[0]))).toEqual(new Set(["BTC/USD", "ETH/USD"]));
  expectRefusal(await fabric(at("NOPE/USD", folder.join("b.gz"))), 64, "NOPE/USD");
  expect(existsSync(folder.join("b.gz"))).toBe(false);
}, 60_000);

test("--for ends it by itself with one line on stdout", async () => {
  using folder = tempFolder();
  await using sim = await exchange("--speed", "60");
  const file = folder.join("a.gz");
  const done = await fabric([
    "record",
    "--venue",
    "binance-spot",
    "--url",
    sim.url,
    ...SYMBOLS,
    "-o",
    file,
    "--for",
    "1500ms",
  ]);
  expect([done.code, done.out]).toEqual([
    0,
    expect.stringMatching(/^\d+ messages, \d+ trades, [\d.]+ kB, 0 reconnects in [12] s in .*a\.gz\n$/),
  ]);
  expect(messagesIn(file)).toBeGreaterThan(10);
}, 30_000);

test("a disk that fills up is one clear error, and what was recorded before is whole", async () => {
  using folder = tempFolder();
  const disk = folder.join("disk");
  mkdirSync(disk);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]).status !== 0) {
    console.error("SKIPPED: the full disk needs leave to mount a tmpfs");
    return;
  }
  try {
    await using sim = await exchange("--speed", "600");
    const file = join(disk, "a.gz");
    await using record = recorder(sim.url, file);
    expect(await record.process.exited).toBe(74);
    await record.drained;
    expect(record.err().trimEnd().split("\n").at(-1)).toMatch(
      /^fabric: Cannot write .*a\.gz: ENOSPC.*; what was recorded before stays readable$/,
    );
    expect(record.out()).toBe("");
    expect(messagesIn(file)).toBeGreaterThan(100);
    await replayed(folder.join("data"), [file], "max");
  } finally {
    spawnSync("umount", ["-l", disk]);
  }
}, 60_000);

test("on a terminal it shows its progress in one line, which is gone at the end", async () => {
  const terminal = Bun.which("script");
  if (terminal === null) {
    console.error("SKIPPED: a terminal needs the command script");
    return;
  }
  using folder = tempFolder();
  await using sim = await exchange("--speed", "60");
  const words = [
    "record",
    "--venue",
    "binance-spot",
    "--url",
    sim.url,
    ...SYMBOLS,
    "-o",
    folder.join("a.gz"),
    "--for",
    "2s",
  ];
  const command = [...FABRIC, ...words].map((word) => `'${word}'`).join(" ");
  const done = spawnSync(terminal, ["-qec", command, "/dev/null"], {
    encoding: "utf8",
    env: { ...process.env, TERM: "xterm" },
  });
  expect(done.status).toBe(0);
  expect(done.stdout).toMatch(/\d+ messages, \d+ trades, [\d.]+ kB, 0 reconnects in 1 s/);
}, 30_000);
