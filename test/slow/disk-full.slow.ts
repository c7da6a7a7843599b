import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expectRefusal } from "../e2e/support-refusal.ts";
import { tradesCsv } from "../e2e/support-store.ts";
import { listen } from "../e2e/support-wire.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

const DISK_MEGABYTES = 24;
const MARKET = ["--symbols", "BTCUSDT,ETHUSDT", "--seed", "11"];

/** A small disk of its own; null (and said so) where this process may not mount one. */
function smallDisk(): (Disposable & { readonly path: string }) | null {
  const folder = tempFolder();
  const path = folder.join("disk");
  mkdirSync(path);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MEGABYTES}m`, "tmpfs", path], {
    encoding: "utf8",
  });
  if (mounted.status !== 0) {
    console.error(
      `SKIPPED: the full disk needs leave to mount a tmpfs (${(mounted.stderr ?? String(mounted.error)).trim()})`,
    );
    folder[Symbol.dispose]();
    return null;
  }
  return {
    path,
    [Symbol.dispose]() {
      spawnSync("umount", ["-l", path]);
      folder[Symbol.dispose]();
    },
  };
}

using probe = smallDisk();

test.skipIf(probe === null)(
  "On a full disk nothing is published that was not committed, nothing newer goes in first, and all of it comes when there is space",
  async () => {
    using disk = smallDisk();
    if (disk === null) return;
    const data = join(disk.path, "data");
    await using heard = await listen(join(data, "run/market-data.ipc"));
    await using sim = start(["sim", ...MARKET, "--speed", "240"]);
    const url = (await sim.says(/ws:\/\/127\.0\.0\.1:\d+/))[0];
    const words = ["--feed", "binance", "--url", url, "--symbols", "BTCUSDT,ETHUSDT", "--history", "0"];
    await using node = start(["market-data", ...words, "--data", data]);
    await eventually(() => heard.candles.length >= 6, 15_000, "the first minutes");

    const filler = join(disk.path, "filler");
    fill(filler);
    await node.says(/error: The market store cannot be written: .+/, 20_000);
    const before = heard.candles.length;
    await eventually(async () => (await healthOf(data)).state === "degraded", 5000, "health to say degraded");
    const health = await healthOf(data);
    expect(health.reason).toMatch(/space|full|write|disk/i);
    expect(heard.candles.length).toBe(before);
    expect(node.process.exitCode).toBeNull();

    rmSync(filler);
    await node.says(/The market store can be written again/, 20_000);
    await eventually(() => heard.candles.length >= before + 20, 15_000, "the minutes after");
    expect(await node.stop()).toBe(0);

    const rows = await json([
      "query",
      "select epoch_ms(open_time) t, * from candle order by commit_seq",
      "--data",
      data,
    ]);
    expect(rows.map((row) => row.commit_seq)).toEqual(rows.map((_, at) => at + 1));
    expect(await json(["query", "from feed_gap", "--data", data])).toEqual([]);
    const bySeq = new Map(rows.map((row) => [row.commit_seq, row]));
    const seqs = heard.candles.map((body) => body.commitSeq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    for (const body of heard.candles)
      expect<unknown[]>([body.symbol, body.openTime, body.close]).toEqual(
        pick(bySeq.get(body.commitSeq) ?? {}, ["symbol", "t", "close"]),
      );

    const truth = await json(["sim", "--truth", ...MARKET, "--minutes", "2000"]);
    const expected = new Map(truth.map((row) => [`${row.symbol} ${row.openTime}`, row]));
    for (const symbol of ["BTCUSDT", "ETHUSDT"]) {
      const own = rows.filter((row) => row.symbol === symbol);
      const first = Number(own[0]?.t);
      expect(own.map((row) => row.t)).toEqual(own.map((_, at) => first + at * 60_000));
      const fields = ["open", "high", "low", "close", "volume", "trades"];
      expect(own.map((row) => pick(row, fields))).toEqual(
        own.map((row) => pick(expected.get(`${symbol} ${row.t}`) ?? {}, fields)),
      );
    }
  },
  90_000,
);

test.skipIf(probe === null)(
  "On a full disk no node starts: 74, in one line",
  async () => {
    using disk = smallDisk();
    if (disk === null) return;
    const csv = join(disk.path, "trades.csv");
    writeFileSync(csv, tradesCsv());
    fill(join(disk.path, "filler"));
    const nodes: readonly (readonly string[])[] = [
      ["market-data", "--feed", "replay", "--symbols", "BTCUSDT", "--file", csv],
      ["runner", "--strategy", "sma-cross"],
      ["scanner"],
      ["bridge", "--port", "0"],
      ["sim"],
      ["up", "--port", "0", "--for", "1s"],
    ];
    for (const words of nodes) {
      const done = await fabric([...words, "--data", join(disk.path, "data")]);
      expectRefusal(done, 74, /full|space/i);
    }
  },
  30_000,
);

test.skipIf(probe === null)(
  "A runner that cannot journal halts without advancing and says so, and when there is space a new start goes on from there",
  async () => {
    using disk = smallDisk();
    using folder = tempFolder();
    if (disk === null) return;
    symlinkSync(disk.path, folder.join("journal"));
    const data = ["--data", folder.path];
    await using sim = start(["sim", "--symbols", "BTCUSDT", "--seed", "12", "--speed", "240", ...data]);
    await using market = start(["market-data", "--feed", "sim", "--symbols", "BTCUSDT", ...data]);
    const runner = ["runner", "--strategy", "sma-cross", ...data];
    await using full = start(runner);
    await eventually(() => decided(folder.path) > 2, 15_000, "the first decisions");
    fill(join(disk.path, "filler"));
    await full.says(
      /error: Halted: Cannot write candle BTCUSDT \d+ to journal .*; the runner halts without advancing/,
      15_000,
    );
    const stood = decided(folder.path);
    expect((await healthOf(folder.path, "sma-cross")).state).toBe("halted");
    expect(decided(folder.path)).toBe(stood);
    rmSync(join(disk.path, "filler"));
    expect(await full.stop()).toBe(0);

    await using next = start(runner);
    await eventually(() => decided(folder.path) > stood + 10, 15_000, "decisions after the restart");
    await next.stop();
    await market.stop();
    await sim.stop();
    const journal = new Database(join(disk.path, "sma-cross.sqlite"), { readonly: true });
    const cursor = journal.query("SELECT last_open_time AS last, delivered FROM cursor").get() as Cursor;
    const anchor = journal.query("SELECT open_time AS first FROM anchor").get() as { first: number };
    journal.close();
    expect(cursor.delivered).toBe((cursor.last - anchor.first) / 60_000 + 1);
  },
  60_000,
);

interface Cursor {
  readonly last: number;
  readonly delivered: number;
}

/** Candles that the runner's journal says were decided. */
function decided(data: string): number {
  const path = join(data, "journal/sma-cross.sqlite");
  if (!existsSync(path)) return 0;
  const journal = new Database(path, { readonly: true });
  try {
    return (journal.query("SELECT sum(delivered) AS n FROM cursor").get() as { n: number | null }).n ?? 0;
  } catch {
    return 0;
  } finally {
    journal.close();
  }
}

type Row = Readonly<Record<string, unknown>>;

/** Writes until not one byte more fits. */
function fill(path: string): void {
  const file = openSync(path, "w");
  for (let bytes = 1024 * 1024; bytes >= 1; ) {
    try {
      if (writeSync(file, new Uint8Array(bytes)) < bytes) bytes = Math.floor(bytes / 2);
    } catch {
      bytes = Math.floor(bytes / 2);
    }
  }
  closeSync(file);
}

async function healthOf(data: string, node = "market-data"): Promise<Row> {
  const done = await fabric(["tail", `telemetry.health.${node}`, "-c", "2", "--json", "--data", data]);
  return JSON.parse(done.out.trim().split("\n").at(-1) ?? "{}");
}

async function json(words: readonly string[]): Promise<readonly Row[]> {
  const done = await fabric([...words, "--json"]);
  expect([done.code, done.err]).toEqual([0, ""]);
  return JSON.parse(done.out);
}

function pick(row: Row, names: readonly string[]): unknown[] {
  return names.map((name) => row[name]);
}
