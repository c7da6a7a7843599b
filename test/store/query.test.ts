import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { toJsonValue } from "../../src/store/json-value.ts";
import { runUserQuery } from "../../src/store/query.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, failureOf, fill, openWriter, START, storeDeps } from "./support.ts";

const query = (folder: string, sql: string, maxRows?: number) =>
  runUserQuery(maxRows === undefined ? { folder, sql } : { folder, sql, maxRows }, storeDeps());

async function storeWithRows(folder: string): Promise<void> {
  const writer = await openWriter(folder);
  await fill(writer, ["A", "B"], 0, 3);
  await writer.commit(batch([], null, [{ symbol: "A", fromOpenTime: START, toOpenTime: START, reason: "why" }]));
  await writer.revise([candle("A", 1, "backfilled", 500)]);
  await writer.revise([candle("A", 1, "backfilled", 600)]);
  await writer.close();
}

test("The views have the columns of the contract; candle shows the latest revision, candle_all every one", async () => {
  using folder = tempFolder();
  await storeWithRows(folder.path);
  const { columns } = await query(folder.path, "SELECT * FROM candle");
  const double = ["open", "high", "low", "close", "volume", "quote_volume"].map((name) => `${name} DOUBLE`);
  expect(columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
    "symbol VARCHAR",
    "open_time TIMESTAMP",
    ...double,
    "trades BIGINT",
    "taker_buy_volume DOUBLE",
    "taker_buy_quote_volume DOUBLE",
    "first_trade_id BIGINT",
    "last_trade_id BIGINT",
    "provenance VARCHAR",
    "revision INTEGER",
    "commit_seq BIGINT",
  ]);
  const minute = `symbol = 'A' AND open_time = '2025-01-01 00:01:00'`;
  expect((await query(folder.path, `SELECT revision, open, commit_seq FROM candle WHERE ${minute}`)).rows).toEqual([
    [2, 600, 3],
  ]);
  const all = await query(folder.path, `SELECT revision, open, open_time FROM candle_all WHERE ${minute} ORDER BY 1`);
  expect(all.rows).toEqual([
    [0, 100, "2025-01-01T00:01:00Z"],
    [1, 500, "2025-01-01T00:01:00Z"],
    [2, 600, "2025-01-01T00:01:00Z"],
  ]);
  expect((await query(folder.path, "SELECT count(*) FROM candle")).rows).toEqual([[8]]);
  expect((await query(folder.path, "FROM feed_gap")).rows).toEqual([
    ["A", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "why"],
  ]);
});

test("A store without rows has the same views, empty; a folder without a store is a missing input", async () => {
  using folder = tempFolder();
  expect((await failureOf(() => query(folder.path, "SELECT 1"))).code).toBe("missing-input");
  await (await openWriter(folder.path)).close();
  for (const view of ["candle", "candle_all", "feed_gap"])
    expect((await query(folder.path, `SELECT * FROM ${view}`)).rows).toEqual([]);
  const described = await query(folder.path, "DESCRIBE candle");
  expect(described.rows.slice(0, 2).map((row) => row.slice(0, 2))).toEqual([
    ["symbol", "VARCHAR"],
    ["open_time", "TIMESTAMP"],
  ]);
});

test("A query runs beside the living writer and sees what is published", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 1);
  expect((await query(folder.path, "SELECT count(*) n FROM candle")).rows).toEqual([[2]]);
  await writer.close();
});

const READING = [
  "SELECT 1; ",
  "WITH x AS (SELECT * FROM candle) SELECT count(*) FROM x",
  "VALUES (1), (2)",
  "FROM candle LIMIT 1",
  "DESCRIBE SELECT 1",
  "SHOW TABLES",
  "SUMMARIZE candle",
  "EXPLAIN SELECT * FROM candle",
  "EXPLAIN ANALYZE SELECT count(*) FROM candle",
  "SELECT * FROM range(3)",
  "SELECT unnest([1, 2])",
  "-- a comment\nSELECT 1 /* another */",
];

test("Everything that only reads may run", async () => {
  using folder = tempFolder();
  await storeWithRows(folder.path);
  for (const sql of READING) expect((await query(folder.path, sql)).rows.length).toBeGreaterThan(0);
});

test("Wrong SQL is bad data with DuckDB's explanation", async () => {
  using folder = tempFolder();
  await storeWithRows(folder.path);
  for (const sql of ["selec 1", "", "  -- nothing", "SELECT * FROM nope", "SELECT nope FROM candle", "SELECT $1"])
    expect([sql, (await failureOf(() => query(folder.path, sql))).code]).toEqual([sql, "bad-data"]);
  expect((await failureOf(() => query(folder.path, "SELECT * FROM nope"))).message).toContain("nope does not exist");
});

/** `{out}` is a path that must not come to be, `{store}` the data folder, `{segment}` a listed segment. */
const HOSTILE = [
  "insert into candle values (1)",
  "copy candle to '{out}'",
  "copy (select 1) to '{segment}'",
  "copy (select 1) to '{segment}' (format parquet, use_tmp_file false)",
  "explain analyze copy (select 1) to '{segment}' (format parquet, use_tmp_file false)",
  "explain analyze copy (select 1) to '{out}'",
  "explain /* x */ analyze copy (select 1) to '{out}'",
  "/* x */ explain analyze copy (select 1) to '{out}'",
  "explain (analyze) copy (select 1) to '{out}'",
  "explain explain analyze copy (select 1) to '{out}'",
  "attach '{store}/market.duckdb' as m",
  "attach '{store}/market.duckdb' as m (read_only)",
  "attach '{out}' as e",
  "select * from '{store}/market.duckdb'",
  "from read_duckdb('{store}/market.duckdb')",
  "select * from read_csv('/etc/passwd')",
  "select * from '/etc/passwd'",
  "select * from '/etc/passwd.csv'",
  "select (select content from read_text('/etc/hostname'))",
  "with a as (from read_text('/etc/hostname')) from a",
  "from read_blob('{segment}')",
  "from glob('/etc/*')",
  "from sniff_csv('/etc/passwd')",
  "from parquet_metadata('{segment}')",
  "call enable_logging(storage='file', storage_path='{out}')",
  "from enable_logging(storage='file', storage_path='{out}')",
  "select * from system.main.enable_logging(storage := 'file', storage_path := '{out}')",
  "from \"ENABLE_LOGGING\"(storage = 'file', storage_path = '{out}')",
  "call enable_profiling(save_location='{out}')",
  "from enable_profiling(save_location='{out}')",
  "pragma enable_profiling='json'",
  "set profiling_output='{out}'",
  "create table t as select 1; copy t to '{out}'",
  "create table t as select 1",
  "select 1; copy (select 1) to '{out}'",
  "select 1; select 2",
  "install httpfs",
  "load httpfs",
  "load '{out}'",
  "export database '{out}'",
  "import database '/etc'",
  "from query('select 1')",
  "from query_table('candle')",
  "from json_execute_serialized_sql(json_serialize_sql('select 42'))",
  "pragma json_execute_serialized_sql(json_serialize_sql('select 42'))",
  "from arrow_scan(1::ubigint::pointer, 2::ubigint::pointer, 3::ubigint::pointer)",
  "from checkpoint()",
  "checkpoint",
  "vacuum",
  "set enable_external_access=true",
  "reset enable_external_access",
  "set allowed_paths=['/etc/passwd']",
  "set lock_configuration=false",
  "select getenv('HOME')",
  "prepare p as select 1",
  "execute p",
  "begin",
  "drop view candle",
  "use system",
  "delete from candle",
  "create macro m() as table from read_text('/etc/hostname')",
  "create secret (type s3)",
  "from 'https://example.invalid/x.parquet'",
  "with x as (insert into candle values (1) returning *) from x",
  "from (describe from read_text('/etc/hostname'))",
  "summarize from read_csv('/etc/passwd')",
  "show tables from '{out}'",
];

test("Hostile SQL is refused or wrong, ends with a code of 64 to 78, writes nothing and changes no segment", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  await storeWithRows(data);
  const segments = `${data}/published/segments`;
  const contents = () => readdirSync(segments).map((file) => [file, Bun.hash(readFileSync(`${segments}/${file}`))]);
  const before = contents();
  const [segment = ""] = readdirSync(segments);
  const files = readdirSync(folder.path, { recursive: true }).map(String).sort();
  for (const template of HOSTILE) {
    const sql = template
      .replaceAll("{out}", folder.join("out"))
      .replaceAll("{store}", data)
      .replaceAll("{segment}", `${segments}/${segment}`);
    const { code } = await failureOf(() => query(data, sql)).catch((error: Error) => {
      throw new Error(`${template}: ${error.message}`);
    });
    expect([template, ["refused", "bad-data"].includes(code)]).toEqual([template, true]);
    expect([template, existsSync(folder.join("out"))]).toEqual([template, false]);
  }
  expect(contents()).toEqual(before);
  expect(readdirSync(folder.path, { recursive: true }).map(String).sort()).toEqual(files);
}, 120_000);

test("The acceptance check's refused statements are refused, not merely wrong", async () => {
  using folder = tempFolder();
  await storeWithRows(folder.path);
  for (const sql of [
    "copy candle to '/tmp/x.csv'",
    "attach 'market.duckdb' as m",
    "select * from read_csv('/etc/passwd')",
    "call enable_logging(storage='file')",
    "from enable_logging(storage='file')",
    "install httpfs",
    "export database '/tmp/z'",
    "insert into candle values (1)",
    "select 1; select 2",
    "select * from '/etc/passwd.csv'",
  ])
    expect([sql, (await failureOf(() => query(folder.path, sql))).code]).toEqual([sql, "refused"]);
});

test("At most maxRows rows are read, and the answer says that there were more", async () => {
  using folder = tempFolder();
  await storeWithRows(folder.path);
  expect(await query(folder.path, "FROM range(10)", 3)).toMatchObject({ rows: [[0], [1], [2]], truncated: true });
  expect(await query(folder.path, "FROM range(3)", 3)).toMatchObject({ rows: [[0], [1], [2]], truncated: false });
  expect((await query(folder.path, "FROM range(1000000000000)", 3)).truncated).toBe(true);
});

const VALUES: readonly (readonly [string, unknown])[] = [
  ["42::BIGINT", 42],
  ["9007199254740991::BIGINT", 9007199254740991],
  ["9007199254740993::BIGINT", "9007199254740993"],
  ["(-9223372036854775808)::BIGINT", "-9223372036854775808"],
  ["sum(x)", 3],
  ["1.5", 1.5],
  ["1.0::DECIMAL(38,20)", "1.00000000000000000000"],
  ["0.1::DOUBLE", 0.1],
  ["'nan'::DOUBLE", null],
  ["'-inf'::DOUBLE", null],
  ["1.5::FLOAT", 1.5],
  ["true", true],
  ["NULL", null],
  ["'text'", "text"],
  ["TIMESTAMP '2025-01-01 00:00:00'", "2025-01-01T00:00:00Z"],
  ["TIMESTAMP '2025-01-01 00:00:00.123'", "2025-01-01T00:00:00.123Z"],
  ["TIMESTAMP '2025-01-01 00:00:00.123456'", "2025-01-01T00:00:00.123456Z"],
  ["TIMESTAMP '1969-12-31 23:59:59.999999'", "1969-12-31T23:59:59.999999Z"],
  ["TIMESTAMPTZ '2025-01-01 02:00:00+02'", "2025-01-01T00:00:00Z"],
  ["'infinity'::TIMESTAMP", "infinity"],
  ["'2025-01-01'::TIMESTAMP_S", "2025-01-01T00:00:00Z"],
  ["'2025-01-01'::TIMESTAMP_MS", "2025-01-01T00:00:00Z"],
  ["'2025-01-01 00:00:00.000001'::TIMESTAMP_NS", "2025-01-01T00:00:00.000001Z"],
  ["DATE '2025-01-01'", "2025-01-01"],
  ["TIME '01:02:03'", "01:02:03"],
  ["[1::BIGINT, NULL]", [1, null]],
  ["{'a': TIMESTAMP '2025-01-01', 'b': [1.5::DOUBLE]}", { a: "2025-01-01T00:00:00Z", b: [1.5] }],
  ["MAP {'k': 1::BIGINT}", [{ key: "k", value: 1 }]],
  ["[1, 2]::INTEGER[2]", [1, 2]],
  ["uuid '00000000-0000-0000-0000-000000000001'", "00000000-0000-0000-0000-000000000001"],
  ["INTERVAL 1 DAY", "1 day"],
];

test("Every SQL value becomes JSON by one rule", async () => {
  using folder = tempFolder();
  await (await openWriter(folder.path)).close();
  for (const [sql, expected] of VALUES) {
    const answer = await query(
      folder.path,
      `SELECT ${sql} FROM (VALUES (1), (2)) t(x) ${sql.includes("sum") ? "" : "LIMIT 1"}`,
    );
    expect([sql, answer.rows[0]?.[0]]).toEqual([sql, expected as never]);
  }
  expect(toJsonValue(undefined, { typeId: 5 })).toBeNull();
});

test("A query waits for published files that are being rebuilt, and tells damage apart from wrong SQL", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path, { tuning: { deletionGraceMs: 0 } });
  await fill(writer, ["A", "B"], 0, 3);
  const count = async () => (await query(folder.path, "SELECT count(*) FROM candle WHERE close > 0")).rows;
  const segments = folder.join("published", "segments");
  const whole: readonly (readonly [string, () => void])[] = [
    ["a manifest that is torn", () => writeFileSync(folder.join("published", "manifest.json"), "{")],
    ["no published folder", () => rmSync(folder.join("published"), { recursive: true })],
    ["a segment cut short", () => truncateSync(`${segments}/${readdirSync(segments)[0]}`, 100)],
    ["a segment of zeroes", () => writeFileSync(`${segments}/${readdirSync(segments)[1]}`, Buffer.alloc(4000))],
  ];
  for (const [, damage] of whole) {
    damage();
    const counted = count();
    await writer.heal();
    expect(await counted).toEqual([[8]]);
    await eventually(() => readdirSync(segments).length === writer.counters().segments);
  }
  // Only its data pages changed: the error comes with the rows, in words that could be about the SQL.
  for (const name of readdirSync(segments)) {
    const bytes = readFileSync(`${segments}/${name}`);
    for (let at = 4; at < 300; at++) bytes[at] = 255;
    writeFileSync(`${segments}/${name}`, bytes);
  }
  expect((await failureOf(() => query(folder.path, "SELECT * FROM candle"))).code).toBe("unavailable");
  expect((await failureOf(() => query(folder.path, "SELECT nothing FROM candle"))).code).toBe("bad-data");
  expect((await failureOf(() => query(folder.path, "SELECT 'x'::INTEGER FROM range(3)"))).code).toBe("bad-data");
  await writer.close();
}, 30_000);

test("SQL with a number beyond a DOUBLE's range, or with line breaks where it goes wrong, is refused in one line", async () => {
  using folder = tempFolder();
  await storeWithRows(folder.path);
  for (const sql of ["SELECT 1e309", "VALUES (-1e309)", "SELECT 'one\n\ntwo", 'SELECT "\r\u2028x']) {
    const { code, message } = await failureOf(() => query(folder.path, sql));
    expect([code, /^[^\n\r\u2028]+$/.test(message)]).toEqual(["bad-data", true]);
  }
});
