import { statSync } from "node:fs";
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
  /**
   * Looks whether the locked file is still the one at the path, and locks the one that is there where it is not: somebody
   * deleted it, and a second node could lock a fresh one. "taken": another process has. Throws "io".
   */
  renew(): "held" | "renewed" | "taken";
  release(): void;
}

/** Every lock this process holds, so that none is collected. */
const held = new Set<SqlDatabase>();

/** Takes the name's lock; null where another process holds it. Blocks for up to a second. Throws "io" (a full disk). */
export function takeNameLock(runFolder: string, name: string, openSqlite: OpenSqlite): NameLock | null {
  const path = lockPath(runFolder, name);
  let database = lockFile(path, openSqlite);
  if (database === null) return null;
  // While we hold it open its number is given to no other file.
  let inode = inodeOf(path);
  return {
    renew() {
      if (database !== null && inode !== null && inodeOf(path) === inode) return "held";
      const fresh = lockFile(path, openSqlite);
      if (fresh === null) return "taken";
      drop(database);
      database = fresh;
      inode = inodeOf(path);
      return "renewed";
    },
    release() {
      drop(database);
      database = null;
    },
  };
}

function lockFile(path: string, openSqlite: OpenSqlite): SqlDatabase | null {
  const database = openSqlite(path, { readOnly: false });
  try {
    database.exec(`PRAGMA busy_timeout=${PATIENCE_MS}; BEGIN EXCLUSIVE`);
  } catch (error) {
    database.close();
    if (isBusy(error)) return null;
    throw new FabricError("io", `Cannot take the lock ${path}: ${messageOf(error)}`, { cause: error });
  }
  held.add(database);
  return database;
}

function drop(database: SqlDatabase | null): void {
  if (database !== null && held.delete(database)) database.close();
}

function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
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
