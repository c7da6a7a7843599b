import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { inspectCandleFile, readCandleFile } from "../../src/role/data/candle-file.ts";
import { Database } from "../../src/store/duckdb.ts";
import { failureOf } from "../store/support.ts";
import { tempFolder } from "../support/temp-folder.ts";

const START = 1_735_689_600_000;
const HEADER = "open_time,open,high,low,close,volume";
const line = (time: number | string, rest = "10,12,9,11,1.5") => `${time},${rest}`;

async function rowsOf(path: string) {
  const rows = [];
  for await (const block of readCandleFile(path, "X")) rows.push(...block);
  return rows;
}

async function read(text: string) {
  using folder = tempFolder();
  const path = folder.join("candles.csv");
  writeFileSync(path, text);
  const facts = await inspectCandleFile(path, "X");
  return { facts, rows: await rowsOf(path) };
}

async function faultOf(content: string | Uint8Array): Promise<string> {
  using folder = tempFolder();
  const path = folder.join("candles.csv");
  writeFileSync(path, content);
  const error = await failureOf(() => inspectCandleFile(path, "X"));
  expect(error.code).toBe("bad-data");
  return error.message.replace(path, "FILE");
}

describe("A candle file", () => {
  test("has its columns by name, in any order and spelling, others let be; what it does not tell is 0 or null", async () => {
    const { rows } = await read(
      `Close,"Open time",HIGH,Low price,openPrice,Volume,Number of trades,Quote asset volume,Taker buy base asset volume,colour\r\n` +
        `11,${START},12,9,10,1.5,7,16.5,0.5,"red, dark"\r\n`,
    );
    expect(rows).toEqual([
      {
        line: 2,
        candle: {
          symbol: "X",
          openTime: START,
          open: 10,
          high: 12,
          low: 9,
          close: 11,
          volume: 1.5,
          quoteVolume: 16.5,
          trades: 7,
          takerBuyVolume: 0.5,
          takerBuyQuoteVolume: 0,
          firstTradeId: null,
          lastTradeId: null,
          provenance: "imported",
        },
      },
    ]);
  });

  test("without a header is Binance's 12 columns of klines, Kraken's 7 or the plain 6", async () => {
    const twelve = `${START},10,12,9,11,1.5,${START + 59_999},16.5,7,0.5,5.5,0\n`;
    const [candle] = (await read(twelve)).rows;
    expect(candle?.candle).toMatchObject({
      quoteVolume: 16.5,
      trades: 7,
      takerBuyVolume: 0.5,
      takerBuyQuoteVolume: 5.5,
    });
    const since2025 = `${START}000,10,12,9,11,1.5,${START + 59_999}999,16.5,7,0.5,5.5,0\n`;
    expect((await read(since2025)).rows[0]?.candle).toEqual(candle?.candle as never);
    expect((await read(`${line(START)},7\n`)).rows[0]?.candle).toMatchObject({ volume: 1.5, trades: 7 });
    expect((await read(line(START))).rows[0]?.candle).toMatchObject({ volume: 1.5, trades: 0 });
    expect(await faultOf(`${line(START)},7,8\n`)).toContain("found 8 columns");
  });

  for (const [unit, factor] of [
    ["seconds", 0.001],
    ["milliseconds", 1],
    ["microseconds", 1000],
  ] as const) {
    test(`tells its times in ${unit} by their magnitude`, async () => {
      const times = [START, START + 60_000].map((time) => time * factor);
      const { rows } = await read(`${HEADER}\n${times.map((time) => line(time)).join("\n")}\n`);
      expect(rows.map(({ candle }) => typeof candle !== "string" && candle.openTime)).toEqual([START, START + 60_000]);
    });
  }

  test("of two units is refused as a whole, with the line and both", async () => {
    expect(await faultOf(`${HEADER}\n${line(START)}\n${line(START / 1000 + 60)}\n`)).toBe(
      "Cannot read FILE: expected open_time in one unit, found milliseconds first and seconds at line 3",
    );
  });

  test("has its bad rows listed with line and reason, and is read on", async () => {
    const { facts, rows } = await read(
      [
        HEADER,
        line(START),
        line(START + 30_000),
        line("yesterday"),
        line(START + 60_000, "10,8,9,11,1.5"),
        line(START + 60_000, "10,12,x,11,1.5"),
        line(START + 60_000, "10,12,,11,1.5"),
        line(START + 60_000, "10,12"),
        line(START + 60_000, "10,12,9,11,-1"),
        "",
        line(START + 60_000),
      ].join("\n"),
    );
    expect(facts).toMatchObject({ good: 2, bad: 7, first: START, last: START + 60_000 });
    expect(facts.badRows).toEqual([
      { line: 3, reason: "open_time is not the start of a minute" },
      { line: 4, reason: 'open_time is no time in seconds, ms or µs: "yesterday"' },
      { line: 5, reason: "high and low do not enclose open and close" },
      { line: 6, reason: 'low is no number: "x"' },
      { line: 7, reason: "low is empty" },
      { line: 8, reason: "expected 6 columns, found 3" },
      { line: 9, reason: "a volume is not zero or a positive number" },
    ]);
    expect(rows.at(-1)).toMatchObject({ line: 11, candle: { openTime: START + 60_000 } });
  });

  test("tells 20 bad rows at most, and counts them all", async () => {
    const bad = Array.from({ length: 50 }, () => line(START, "1,1,1,1"));
    const { facts } = await read([HEADER, line(START), ...bad].join("\n"));
    expect([facts.bad, facts.badRows.length]).toEqual([50, 20]);
  });

  test("without the columns, without a good row, of longer candles, or damaged is bad data that says what is wrong", async () => {
    expect(await faultOf("open_time,open,high,close\n1,2,3,4\n")).toBe(
      "Cannot read candles from FILE: expected the columns open_time, open, high, low, close, volume; low, volume lacking, found open_time, open, high, close",
    );
    expect(await faultOf(`time,${HEADER}\n`)).toContain('its columns "time" and "open_time" both are open_time');
    expect(await faultOf("")).toContain("it has no row");
    expect(await faultOf(`${HEADER}\n${line(START + 1)}\n`)).toContain(
      "no row of it is a candle; line 2: open_time is not",
    );
    const hourly = Array.from({ length: 12 }, (_, hour) => line(START + hour * 3_600_000));
    expect(await faultOf([HEADER, ...hourly].join("\n"))).toContain(
      "expected 1-minute candles, found rows 60 minutes apart",
    );
    const fiveMinutes = `${START},10,12,9,11,1.5,${START + 299_999},16.5,7,0.5,5.5,0\n`;
    expect(await faultOf(fiveMinutes)).toContain("it is not one minute long");
    const text = [HEADER, ...Array.from({ length: 500 }, (_, minute) => line(START + minute * 60_000))].join("\n");
    expect(await faultOf(gzipSync(text).subarray(0, 700))).toContain("it is damaged or ends early");
    expect((await failureOf(() => inspectCandleFile("/nowhere", "X"))).code).toBe("missing-input");
  });

  test("may be gzip, or Parquet with times as TIMESTAMP or number and prices as DECIMAL or DOUBLE", async () => {
    using folder = tempFolder();
    const csv = `${HEADER},count\n${line(START)},3\n${line(START + 60_000)},4\n`;
    writeFileSync(folder.join("a.csv"), csv);
    writeFileSync(folder.join("a.csv.gz"), gzipSync(csv));
    const plain = await rowsOf(folder.join("a.csv"));
    expect(await rowsOf(folder.join("a.csv.gz"))).toEqual(plain);
    const database = await Database.memory({});
    const connection = await database.connect();
    const select = "SELECT * REPLACE (";
    const from = `) FROM read_csv('${folder.join("a.csv")}')`;
    for (const [name, sql] of [
      ["number", `SELECT ${"*"} FROM read_csv('${folder.join("a.csv")}')`],
      ["timestamp", `${select}make_timestamp_ms(open_time) AS open_time${from}`],
      ["decimal", `${select}open::DECIMAL(18,8) AS open, volume::DECIMAL(18,8) AS volume${from}`],
    ] as const) {
      const path = folder.join(`${name}.parquet`);
      await connection.run(`COPY (${sql}) TO '${path}' (FORMAT parquet)`);
      expect((await rowsOf(path)).map(({ candle }) => candle)).toEqual(plain.map(({ candle }) => candle));
    }
    database.close();
  });

  test("of any text is read or refused as bad data, never worse", async () => {
    using folder = tempFolder();
    const path = folder.join("any.csv");
    const cell = fc.oneof(
      fc.constantFrom(`${START}`, "1.5", "", '"', "-1", "1e400", "NaN", "ü"),
      fc.string({ maxLength: 8 }),
    );
    const anyLine = fc.array(cell, { maxLength: 13 }).map((cells) => cells.join(","));
    const content = fc.array(fc.oneof(fc.constant(HEADER), fc.constant(line(START)), anyLine), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(content, async (lines) => {
        writeFileSync(path, lines.join("\n"));
        const outcome = await inspectCandleFile(path, "X").then(
          () => "bad-data",
          (error: { code?: string }) => error.code ?? String(error),
        );
        expect(outcome).toBe("bad-data");
      }),
      { numRuns: 300 },
    );
  });
});
