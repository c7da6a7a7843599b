import { statSync } from "node:fs";
import { join } from "node:path";
import type { OpenSqlite, SqlDatabase } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";

/** How long a start waits for one of the same name that is just ending, ms. */
const PATIENCE_MS = 250;

/**
 * A node's lock on its name: an exclusive transaction on a SQLite file, which the kernel frees when the process dies, however it
 * dies. The handle must stay referenced: a collected one is closed and its lock gone. Nobody but a start touches this file (see
 * alive-lock.ts for those who only look).
 */
export interface NameLock {
  /**
   * Looks whether the locked file is still the one at the path, and locks the one that is there where it is not: somebody
   * deleted it, and a second node could lock a fresh one. "taken": another process has. Blocks for up to a quarter of a second
   * where it is taken, not at all where the caller knows that already. Throws "io".
   */
  renew(knownTaken: boolean): "held" | "renewed" | "taken";
  release(): void;
}

/** Takes the name's lock; null where another process holds it. Blocks for up to a quarter of a second. Throws "io". */
export function takeNameLock(runFolder: string, name: string, openSqlite: OpenSqlite): NameLock | null {
  const path = lockPath(runFolder, name);
  let locked = lockFile(path, openSqlite, PATIENCE_MS);
  if (locked === null) return null;
  return {
    renew(knownTaken) {
      if (locked?.isInPlace() === true) return "held";
      const fresh = lockFile(path, openSqlite, knownTaken ? 0 : PATIENCE_MS);
      if (fresh === null) return "taken";
      locked?.release();
      locked = fresh;
      return "renewed";
    },
    release() {
      locked?.release();
      locked = null;
    },
  };
}

/** A file with an exclusive lock of ours on it. */
export interface LockedFile {
  /** Whether it still is the file at its path. */
  isInPlace(): boolean;
  /** Idempotent. */
  release(): void;
}

/** Every lock this process holds, so that none is collected. */
const held = new Set<SqlDatabase>();

/** Makes the file and locks it; null where somebody else has a lock on it for longer than `patienceMs`. Throws "io" (a full disk). */
export function lockFile(path: string, openSqlite: OpenSqlite, patienceMs: number): LockedFile | null {
  const database = openSqlite(path, { readOnly: false });
  try {
    database.exec(`PRAGMA busy_timeout=${patienceMs}; BEGIN EXCLUSIVE`);
  } catch (error) {
    database.close();
    if (isBusy(error)) return null;
    throw new FabricError("io", `Cannot take the lock ${path}: ${messageOf(error)}`, { cause: error });
  }
  held.add(database);
  // While we hold it open its number is given to no other file.
  const inode = inodeOf(path);
  return {
    isInPlace: () => inode !== null && inodeOf(path) === inode,
    release() {
      if (held.delete(database)) database.close();
    },
  };
}

/** Whether an error says that another lock is in the way. */
export function isBusy(error: unknown): boolean {
  return /locked|busy/i.test(messageOf(error));
}

function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}

function lockPath(runFolder: string, name: string): string {
  return join(runFolder, `${name}.lock`);
}
