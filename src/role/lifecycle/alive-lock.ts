import { statSync } from "node:fs";
import { join } from "node:path";
import type { OpenSqlite } from "../../core/env.ts";
import { isBusy, type LockedFile, lockFile } from "./name-lock.ts";

/** How long a look may hold this up, ms: they take some tenths of one, unless the looker is frozen. */
const PATIENCE_MS = 50;

/**
 * What others look at to see whether a node lives: a second file beside the name's lock, held the same way. A look takes a shared
 * lock for a moment, and a looker that is frozen in that moment keeps it: on the name's own lock that would keep the node
 * from starting (invariant 9: a bridge cannot act, frozen or not). Here it only makes the node unseen until the looker goes on.
 */
export class AliveLock {
  readonly #path: string;
  readonly #openSqlite: OpenSqlite;
  #locked: LockedFile | null = null;

  /** Takes nothing yet. */
  constructor(runFolder: string, name: string, openSqlite: OpenSqlite) {
    this.#path = alivePath(runFolder, name);
    this.#openSqlite = openSqlite;
  }

  /** Takes it where it is not held, or its file was deleted; true where it is held now. Blocks for at most 50 ms. Throws "io". */
  keep(): boolean {
    if (this.#locked?.isInPlace() === true) return true;
    const fresh = lockFile(this.#path, this.#openSqlite, PATIENCE_MS);
    this.#locked?.release();
    this.#locked = fresh;
    return fresh !== null;
  }

  release(): void {
    this.#locked?.release();
    this.#locked = null;
  }
}

/** Whether a node of this name lives. Takes a shared lock for a moment, on a file that no start waits for. */
export function isAlive(runFolder: string, name: string, openSqlite: OpenSqlite): boolean {
  const path = alivePath(runFolder, name);
  if (!statSync(path, { throwIfNoEntry: false })) return false;
  const database = openSqlite(path, { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout=0");
    database.prepare("SELECT count(*) FROM sqlite_master").get();
    return false;
  } catch (error) {
    return isBusy(error);
  } finally {
    database.close();
  }
}

/** A tilde stands in no node's name, so that this is no other node's lock. */
export function alivePath(runFolder: string, name: string): string {
  return join(runFolder, `${name}~alive.lock`);
}
