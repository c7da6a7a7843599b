import { join } from "node:path";
import type { OpenSqlite, SqlDatabase } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";

/** How long a start waits for a lock that somebody only looks at (see isLocked), ms. */
const PATIENCE_MS = 1000;

/**
 * A node's lock on its name: an exclusive transaction on a SQLite file, which the kernel frees when the process dies, however it
 * dies. The handle must stay referenced: a collected one is closed and its lock gone.
 */
export interface NameLock {
  release(): void;
}

/** Every lock this process holds, so that none is collected. */
const held = new Set<SqlDatabase>();

/** Takes the name's lock; null where another process holds it. Blocks for up to a second. Throws "io" (a full disk). */
export function takeNameLock(runFolder: string, name: string, openSqlite: OpenSqlite): NameLock | null {
  const database = openSqlite(lockPath(runFolder, name), { readOnly: false });
  try {
    database.exec(`PRAGMA busy_timeout=${PATIENCE_MS}; BEGIN EXCLUSIVE`);
  } catch (error) {
    database.close();
    if (isBusy(error)) return null;
    throw new FabricError("io", `Cannot take the lock ${lockPath(runFolder, name)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  held.add(database);
  return {
    release() {
      if (held.delete(database)) database.close();
    },
  };
}

/** Whether a live process holds the name. Takes a shared lock for a moment, which a start waits out. */
export function isLocked(runFolder: string, name: string, openSqlite: OpenSqlite): boolean {
  const database = openSqlite(lockPath(runFolder, name), { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout=0");
    database.prepare("SELECT count(*) FROM sqlite_master").get();
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    return false;
  } finally {
    database.close();
  }
}

export function lockPath(runFolder: string, name: string): string {
  return join(runFolder, `${name}.lock`);
}

function isBusy(error: unknown): boolean {
  return /locked|busy/i.test(messageOf(error));
}
