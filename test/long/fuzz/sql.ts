import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import { FabricError } from "../../../src/core/errors.ts";
import { runUserQuery } from "../../../src/store/query.ts";
import { batch, candle, openWriter, START } from "../../store/support.ts";
import { Dice } from "../dice.ts";
import { mutated } from "./mutations.ts";
import { StretchEnd } from "./stretch-end.ts";
import { refusal, type Tally } from "./tally.ts";
import type { FuzzRange } from "./targets.ts";

/** A query that takes longer ends its process, as a user's patience would: SQL may ask for any amount of work. */
const LIMIT_MS = 2500;
const MAX_ROWS = 1000;
/** Stands in files that no query may read, and in no SQL. */
const SECRET = `secret-${"9f3a"}-${"77c1"}`;

const READS = [
  "SELECT * FROM candle ORDER BY open_time DESC LIMIT 5",
  "select symbol, count(*) n, avg(close) from candle group by 1 having count(*) > 2 order by n",
  "FROM candle_all WHERE symbol = 'A' AND open_time >= '2025-01-01 00:01:00'",
  "WITH x AS (SELECT symbol s, close c, lag(close) OVER (PARTITION BY symbol ORDER BY open_time) p FROM candle) SELECT s, c / p - 1 FROM x",
  "SELECT time_bucket(INTERVAL 5 MINUTE, open_time) t, first(open), max(high), min(low), last(close) FROM candle GROUP BY ALL",
  "EXPLAIN ANALYZE SELECT count(*) FROM candle, range(10)",
  "DESCRIBE candle",
  "SUMMARIZE candle",
  "SHOW TABLES",
  "VALUES (1, 'a'), (2, NULL)",
  "SELECT list(symbol), {'a': 1, 'b': [1, 2]}, map {'k': 1.5}, INTERVAL 1 MONTH, 170141183460469231731687303715884105727::HUGEINT",
  "SELECT * FROM feed_gap UNION ALL SELECT 'x', now()::TIMESTAMP, now()::TIMESTAMP, 'y'",
  "select unnest(range(20)) i, regexp_replace(symbol, '(A+)', '\\1\\1') from candle",
  "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 50) SELECT sum(n) FROM t",
  "PIVOT candle ON symbol USING max(close) GROUP BY open_time",
];

/** What must not work, whatever is done to its text. `?` is a file outside, `!` a place to write. */
const ATTACKS = [
  "SELECT * FROM read_csv('?')",
  "SELECT * FROM '?'",
  "select content from read_text('?')",
  "SELECT * FROM read_blob('?')",
  "SELECT * FROM glob('?*')",
  "COPY candle TO '!'",
  "COPY (SELECT 1) TO '!' (FORMAT parquet)",
  "EXPORT DATABASE '!'",
  "ATTACH '!' AS a",
  "CREATE TABLE t AS SELECT * FROM candle",
  "INSERT INTO candle VALUES (1)",
  "DELETE FROM candle_rows",
  "SELECT * FROM query('SELECT * FROM ''?''')",
  "SELECT * FROM query_table('?')",
  "FROM sniff_csv('?')",
  "CALL enable_logging(storage='file', storage_path='!')",
  "SET enable_external_access = true; SELECT * FROM '?'",
  "RESET lock_configuration",
  "PRAGMA database_list",
  "INSTALL httpfs",
  "LOAD '?'",
  "SELECT getenv('HOME')",
  "SELECT current_setting('allowed_paths')",
  "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
  "SELECT * FROM parquet_metadata('?')",
  "WITH x AS (FROM read_json('?')) FROM x",
  "CREATE MACRO m() AS TABLE SELECT * FROM '?'",
  "VACUUM",
  "CHECKPOINT",
  "EXPLAIN COPY candle TO '!'",
  "SELECT 1; COPY candle TO '!'",
  "PREPARE p AS SELECT * FROM '?'",
  "EXECUTE p",
];

/** Mutated SQL through the real query path, beside files it must not read and a store it must not change. */
export async function fuzzSql({ seed, from, to, folder }: FuzzRange, tally: Tally): Promise<void> {
  const store = join(folder, "store");
  const outside = join(folder, "outside");
  const target = join(folder, "target");
  for (const path of [outside, target]) mkdirSync(path);
  writeFileSync(join(outside, "secret.csv"), `a,b\n${SECRET},1\n`);
  await makeStore(store);
  process.chdir(target);
  const before = printOf(folder);
  const place = (sql: string) => sql.replaceAll("?", join(outside, "secret.csv")).replaceAll("!", join(target, "out"));
  for (let index = from; index < to; index++) {
    tally.reached(index, true);
    const dice = new Dice(seed, index);
    const pick = () => dice.pick(dice.oneIn(3) ? ATTACKS : READS);
    const { kind, bytes } = mutated(place(pick()), place(pick()), dice);
    const sql = new TextDecoder().decode(bytes);
    const outcome = await outcomeOf(store, sql);
    tally.count(kind, outcome.what);
    if (outcome.fault !== null) tally.fail(index, `${outcome.fault} from ${JSON.stringify(sql.slice(0, 600))}`);
    if (readdirSync(target).length > 0) tally.fail(index, `${readdirSync(target)} was written by ${sql.slice(0, 600)}`);
    if (outcome.what === OVER_LIMIT) throw new StretchEnd(index + 1);
  }
  if (printOf(folder) !== before) tally.fail(to, "a file was changed, made or removed");
}

const OVER_LIMIT = "over the time limit";

interface Outcome {
  readonly what: string;
  readonly fault: string | null;
}

async function outcomeOf(store: string, sql: string): Promise<Outcome> {
  const limit = Promise.withResolvers<null>();
  const timer = setTimeout(() => limit.resolve(null), LIMIT_MS);
  try {
    const answer = await Promise.race([
      runUserQuery({ folder: store, sql, maxRows: MAX_ROWS }, platform),
      limit.promise,
    ]);
    if (answer === null) return { what: OVER_LIMIT, fault: null };
    const text = JSON.stringify(answer);
    if (text.includes(SECRET)) return { what: "accepted", fault: "a file was read" };
    if (answer.rows.length > MAX_ROWS) return { what: "accepted", fault: `${answer.rows.length} rows` };
    return { what: answer.truncated ? "accepted, cut at the most rows" : "accepted", fault: null };
  } catch (error) {
    if (!(error instanceof FabricError)) return { what: "threw", fault: String(error) };
    const fault = error.message.includes("\n") ? `refused in several lines: ${error.message}` : null;
    const expected = ["bad-data", "refused"].includes(error.code);
    return { what: refusal(kindOf(error)), fault: expected ? fault : `refused as ${error.code}: ${error.message}` };
  } finally {
    clearTimeout(timer);
  }
}

/** What kind of refusal, without the names and texts of the SQL. */
function kindOf({ code, message }: FabricError): string {
  const [, reason = message] = /^(?:Wrong SQL|Refused to run this SQL|Cannot run this SQL): (.*)$/.exec(message) ?? [];
  const driver = /^([A-Z][A-Za-z ]* Error):/.exec(reason)?.[1];
  const plain = reason.replace(/(at or near|the table function) .*/, "$1 …").replace(/'[^']*'?/g, "…");
  return `${code}: ${driver ?? plain}`;
}

async function makeStore(folder: string): Promise<void> {
  const writer = await openWriter(folder);
  for (let minute = 0; minute < 20; minute++) {
    const rows = ["A", "B", "AAA"].map((symbol) => candle(symbol, minute));
    await writer.commit(batch(rows, START + minute * 60_000));
    await writer.seal();
  }
  await writer.revise([candle("A", 1, "backfilled", 500)]);
  await writer.seal();
  await writer.close();
}

/** Every file below a folder with its content, as one hash. */
function printOf(folder: string): string {
  const hash = createHash("sha256");
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }).sort(byPath)) {
    hash.update(`${entry.parentPath}/${entry.name}\n`);
    if (entry.isFile()) hash.update(readFileSync(join(entry.parentPath, entry.name)));
  }
  return hash.digest("hex");
}

function byPath(one: { parentPath: string; name: string }, other: { parentPath: string; name: string }): number {
  return join(one.parentPath, one.name) < join(other.parentPath, other.name) ? -1 : 1;
}
