import type { Clock, Files, Timers } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { type Connection, Database, driverMessage } from "./duckdb.ts";
import { storeLayout } from "./layout.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { createViews } from "./published-views.ts";
import { SegmentProof } from "./segment-proof.ts";

/** What is published of a store, open for SQL of ours: the views of published-views.ts, in a DuckDB in memory. */
export interface Published {
  readonly connection: Connection;
  readonly venue: string;
  readonly environment: string | null;
}

export interface PublishedDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly timers: Timers;
}

const SETTINGS = { threads: "2", memory_limit: "1GB", enable_external_file_cache: "false" };
/** Published files that are gone or damaged are rebuilt by a running market-data within a second or two. */
const MAX_ATTEMPTS = 15;
const RETRY_MS = 100;

/**
 * Runs `read` on one state of a folder's published segments, each proven (size and hash) before and unchanged after; never on
 * market.duckdb. `action` completes "Cannot …". A file that was merged away or damaged meanwhile makes it run again on the newest
 * manifest, for a second and a half. Rejects with FabricError "missing-input" (no store), "config", "unavailable", and what `read`
 * rejects with as a FabricError.
 */
export async function readPublished<T>(
  folder: string,
  action: string,
  deps: PublishedDeps,
  read: (published: Published) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(folder, action, deps, read);
    } catch (error) {
      if (!(error instanceof NotWhole) || attempt === MAX_ATTEMPTS) throw error;
    }
    await new Promise<void>((resolve) => deps.timers.after(RETRY_MS, resolve));
  }
}

async function readOnce<T>(
  folder: string,
  action: string,
  deps: PublishedDeps,
  read: (published: Published) => Promise<T>,
): Promise<T> {
  const layout = storeLayout(folder);
  const manifest = manifestOf(folder, action, deps.files);
  const proof = new SegmentProof(layout.segments, deps);
  const proveAgain = await proof.prove(manifest.segments).catch((error: unknown) => {
    throw notWhole(action, messageOf(error), error);
  });
  const database = await Database.memory(SETTINGS);
  try {
    const connection = await database.connect();
    await createViews(connection, manifest, layout);
    const { venue, environment } = manifest;
    const result = await read({ connection, venue, environment });
    await proveAgain().catch((error: unknown) => {
      throw notWhole(action, messageOf(error), error);
    });
    return result;
  } catch (error) {
    if (error instanceof FabricError) throw error;
    // The SQL is ours and right, so that what fails is a file, or memory.
    throw notWhole(action, driverMessage(error), error);
  } finally {
    database.close();
  }
}

function manifestOf(folder: string, action: string, files: Files): Manifest {
  const layout = storeLayout(folder);
  let manifest: Manifest | null;
  try {
    manifest = readManifest(layout.manifest, files);
  } catch (error) {
    if (error instanceof FabricError && error.code === "config") throw error;
    throw notWhole(action, messageOf(error), error);
  }
  if (manifest !== null) return manifest;
  if (files.stat(layout.market)) throw notWhole(action, "there is no manifest", null);
  throw new FabricError(
    "missing-input",
    `Cannot ${action}: there is no market store in ${folder}; name its data folder with --data`,
  );
}

/** What a newer manifest mends, told apart from what `read` found unavailable elsewhere. */
class NotWhole extends FabricError {}

function notWhole(action: string, told: string, cause: unknown): FabricError {
  return new NotWhole(
    "unavailable",
    `Cannot ${action}: the published store cannot be read whole; a running market-data node mends it within seconds (${told})`,
    { cause },
  );
}
