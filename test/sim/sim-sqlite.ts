import type { OpenSqlite, SqlDatabase, SqlStatement } from "../../src/core/env.ts";
import { systemOpenSqlite } from "../../src/role/platform/sqlite.ts";
import type { Life } from "./life.ts";
import { Killed, type World } from "./world.ts";

/** One file of SQLite: the real thing in memory, which outlives the lives that open it. */
interface Stored {
  readonly database: SqlDatabase;
  readonly statements: Map<string, SqlStatement>;
  inTransaction: boolean;
}

/** The SQLite files of a run: journals, and the lock files of names, which the kernel frees when their holder dies. */
export class SimSqlite {
  readonly world: World;
  readonly #files = new Map<string, Stored>();
  readonly #locks = new Map<string, Life>();
  fullUntilMs = 0;

  constructor(world: World) {
    this.world = world;
  }

  /** For checks from outside; null where nothing was ever opened under the path. */
  look(path: string): SqlDatabase | null {
    return this.#files.get(path)?.database ?? null;
  }

  paths(): readonly string[] {
    return [...this.#files.keys()];
  }

  close(): void {
    for (const { database } of this.#files.values()) database.close();
    this.#files.clear();
  }

  opener(life: Life): OpenSqlite {
    return (path) => {
      life.step(`opening ${path}`);
      return path.endsWith(".lock") ? this.#lockFile(path, life) : this.#journal(path, life);
    };
  }

  #lockFile(path: string, life: Life): SqlDatabase {
    const free = () => {
      if (this.#locks.get(path) === life) this.#locks.delete(path);
    };
    life.atDeath(free);
    return {
      exec: (sql) => {
        life.step(`locking ${path}`);
        if (!sql.includes("BEGIN EXCLUSIVE")) return;
        const holder = this.#locks.get(path);
        if (holder && holder !== life) throw new Error("database is locked");
        this.#locks.set(path, life);
      },
      prepare: () => {
        throw new Error("a lock file is never read here");
      },
      close: free,
    };
  }

  #journal(path: string, life: Life): SqlDatabase {
    const stored = this.#files.get(path) ?? {
      database: systemOpenSqlite(":memory:", { readOnly: false }),
      statements: new Map<string, SqlStatement>(),
      inTransaction: false,
    };
    this.#files.set(path, stored);
    let isOpen = true;
    const rollBack = () => {
      if (!isOpen || !stored.inTransaction) return;
      stored.inTransaction = false;
      stored.database.exec("ROLLBACK");
    };
    life.atDeath(rollBack);
    return {
      exec: (sql) => this.#exec(stored, life, sql),
      prepare: (sql) => {
        life.step("preparing a statement");
        let statement = stored.statements.get(sql);
        if (!statement) {
          statement = stored.database.prepare(sql);
          stored.statements.set(sql, statement);
        }
        return stepping(statement, life);
      },
      close: () => {
        if (!life.alive) throw new Killed();
        rollBack();
        isOpen = false;
      },
    };
  }

  #exec(stored: Stored, life: Life, sql: string): void {
    life.step(`sql ${sql.slice(0, 12)}`);
    const { rates } = this.world.scenario;
    const isCommit = sql.startsWith("COMMIT");
    const full = this.world.isHurting && life.chance.chance(rates["journal.full"] * 0.03);
    if (full && sql.startsWith("BEGIN")) throw new Error("database or disk is full");
    const failsAfter = full && isCommit && life.chance.chance(0.5);
    if (full && isCommit && !failsAfter) throw new Error("database or disk is full");
    stored.database.exec(sql);
    if (sql.startsWith("BEGIN")) stored.inTransaction = true;
    if (isCommit || sql.startsWith("ROLLBACK")) stored.inTransaction = false;
    if (isCommit) life.note("commits to its journal");
    if (failsAfter) throw new Error("disk I/O error");
    life.step(`sql ${sql.slice(0, 12)}, done`);
  }
}

function stepping(statement: SqlStatement, life: Life): SqlStatement {
  return {
    run: (...values) => {
      life.step("sql run");
      statement.run(...values);
    },
    get: (...values) => {
      life.step("sql get");
      return statement.get(...values);
    },
    all: (...values) => {
      life.step("sql all");
      return statement.all(...values);
    },
  };
}
