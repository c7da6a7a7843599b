import type { Files } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { SCHEMA_VERSION } from "./contract.ts";
import { type Cell, type Connection, Database, driverMessage, literal, storeFailure } from "./duckdb.ts";
import { storeLayout } from "./layout.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { KIND_TABLES, SEGMENT_KINDS } from "./schema.ts";
import { type StoreCheck, TABLE_CHECKS } from "./verify-tables.ts";

/** What a store holds and whether all of it is as it must be. */
export interface StoreReport {
  readonly storeId: string;
  readonly venue: string;
  readonly environment: string | null;
  readonly rows: number;
  readonly symbols: number;
  readonly gaps: number;
  readonly revisions: number;
  readonly segments: number;
  readonly checks: readonly StoreCheck[];
}

/** Faults named in one check's detail; the rest are counted. */
const FAULTS_TOLD = 5;
const SETTINGS = { threads: "2", memory_limit: "1GB", access_mode: "READ_ONLY" };

/**
 * Reads the whole store, changes nothing: the truth's keys, numbers, links, prices and contiguity, then every published segment
 * against it, row by row. For the market-data role alone, which must hold its name. Throws FabricError "missing-input" where
 * there is no store, "unavailable" where another process holds it, "config" where it is of another version or no database. Takes
 * as long as the store is large, and memory for one segment at a time.
 */
export async function verifyStore(folder: string, files: Files): Promise<StoreReport> {
  const layout = storeLayout(folder);
  if (files.stat(layout.market) === null) {
    throw new FabricError(
      "missing-input",
      `Cannot verify ${layout.market}: there is no store; choose another with --data`,
    );
  }
  let database: Database | null = null;
  try {
    database = await Database.file(layout.market, SETTINGS, files);
    const connection = await database.connect();
    const facts = await readFacts(connection, layout.market);
    const checks: StoreCheck[] = [];
    for (const check of TABLE_CHECKS) checks.push(await check(connection));
    const manifest = manifestOf(layout.manifest, files);
    if (typeof manifest === "string") checks.push({ id: "manifest", ok: false, detail: manifest });
    else {
      checks.push(await checkManifest(connection, manifest, facts.storeId));
      checks.push(await checkSegments(connection, manifest, layout.segments, files));
    }
    return { ...facts, segments: typeof manifest === "string" ? 0 : manifest.segments.length, checks };
  } catch (error) {
    throw storeFailure("verify", layout.market, error);
  } finally {
    database?.close();
  }
}

async function readFacts(connection: Connection, path: string): Promise<Omit<StoreReport, "segments" | "checks">> {
  const [meta] = await connection.rows("SELECT store_id, venue, environment, schema_version FROM meta");
  if (meta?.[3] !== SCHEMA_VERSION) {
    throw new FabricError(
      "config",
      `Cannot verify ${path}: it has schema version ${String(meta?.[3])} and this fabric needs ${SCHEMA_VERSION}; use the fabric that wrote it`,
    );
  }
  const [counts] =
    await connection.rows(`SELECT (SELECT count(*) FROM candle), (SELECT count(DISTINCT symbol) FROM candle),
    (SELECT count(*) FROM feed_gap), (SELECT count(*) FROM candle_revision)`);
  return {
    storeId: String(meta[0]),
    venue: String(meta[1]),
    environment: meta[2] === null || meta[2] === undefined ? null : String(meta[2]),
    rows: Number(counts?.[0]),
    symbols: Number(counts?.[1]),
    gaps: Number(counts?.[2]),
    revisions: Number(counts?.[3]),
  };
}

/** The manifest, or what is wrong with it. */
function manifestOf(path: string, files: Files): Manifest | string {
  try {
    return readManifest(path, files) ?? `${path} is missing; a start of market-data publishes anew`;
  } catch (error) {
    return messageOf(error);
  }
}

/** Identity, ranges without holes up to the newest row, and the heads that consumers follow. */
async function checkManifest(connection: Connection, manifest: Manifest, storeId: string): Promise<StoreCheck> {
  const faults: string[] = [];
  if (manifest.storeId !== storeId) faults.push(`it belongs to store ${manifest.storeId}`);
  for (const kind of SEGMENT_KINDS) {
    const { table, seq } = KIND_TABLES[kind];
    const newest = Number((await connection.rows(`SELECT coalesce(max(${seq}), 0) FROM ${table}`))[0]?.[0]);
    let through = 0;
    for (const segment of manifest.segments.filter((each) => each.kind === kind)) {
      if (segment.firstSeq !== through + 1) faults.push(`${segment.file} does not follow ${kind} row ${through}`);
      through = segment.lastSeq;
    }
    if (through !== newest) faults.push(`${kind} rows are published to ${through}, and the store holds ${newest}`);
    if (kind === "candle" && manifest.throughSeq !== through)
      faults.push(`throughSeq is ${manifest.throughSeq} and its segments end at ${through}`);
  }
  const heads = await connection.rows(`SELECT symbol, epoch_ms(max(open_time)), max(commit_seq) FROM candle
    WHERE provenance <> 'imported' GROUP BY symbol`);
  const told = new Map(manifest.heads.map(([symbol, openTime, commitSeq]) => [symbol, `${openTime} ${commitSeq}`]));
  for (const [symbol, openTime, commitSeq] of heads) {
    const found = told.get(String(symbol));
    if (found !== `${openTime} ${commitSeq}`)
      faults.push(`the head of ${String(symbol)} is ${found}, not ${openTime} ${commitSeq}`);
  }
  return outcome("manifest", faults, `${manifest.segments.length} segments listed, ${heads.length} heads`);
}

/** Each listed file: there, of its size and hash, and equal to the truth's rows in both directions. */
async function checkSegments(
  connection: Connection,
  manifest: Manifest,
  folder: string,
  files: Files,
): Promise<StoreCheck> {
  const faults: string[] = [];
  let rows = 0;
  for (const segment of manifest.segments) {
    const path = `${folder}/${segment.file}`;
    const stat = files.stat(path);
    if (stat === null) faults.push(`${segment.file} is missing`);
    else if (stat.sizeBytes !== segment.bytes || files.sha256(path) !== segment.sha256)
      faults.push(`${segment.file} is not the file that was published`);
    else {
      const { table, seq } = KIND_TABLES[segment.kind];
      const truth = `SELECT * FROM ${table} WHERE ${seq} BETWEEN ${segment.firstSeq} AND ${segment.lastSeq}`;
      const published = `SELECT * FROM read_parquet(${literal(path)})`;
      const differing = await difference(connection, truth, published);
      if (typeof differing === "string") faults.push(`${segment.file} cannot be read: ${differing}`);
      else if (differing > 0) faults.push(`${segment.file} differs from the store in ${differing} rows`);
      rows += segment.rows;
    }
  }
  return outcome("segments", faults, `${rows} published rows equal the store's`);
}

async function difference(connection: Connection, one: string, other: string): Promise<number | string> {
  try {
    const [counts] = await connection.rows(`SELECT (SELECT count(*) FROM (${one} EXCEPT ALL ${other})),
      (SELECT count(*) FROM (${other} EXCEPT ALL ${one}))`);
    return count(counts?.[0]) + count(counts?.[1]);
  } catch (error) {
    return driverMessage(error);
  }
}

function count(cell: Cell | undefined): number {
  return Number(cell ?? 0);
}

function outcome(id: string, faults: readonly string[], well: string): StoreCheck {
  if (faults.length === 0) return { id, ok: true, detail: well };
  const more = faults.length > FAULTS_TOLD ? ` and ${faults.length - FAULTS_TOLD} more` : "";
  return { id, ok: false, detail: faults.slice(0, FAULTS_TOLD).join("; ") + more };
}
