import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { OpenSqlite, SqlValue } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";

/** node:sqlite, which both runtimes carry. The caller keeps the handle: a collected one drops its locks. */
export const systemOpenSqlite: OpenSqlite = (path, options) => {
  if (options.readOnly && path !== ":memory:" && !existsSync(path)) {
    throw new FabricError("missing-input", `Cannot open ${path}: there is no such file`);
  }
  const database = open(path, options.readOnly);
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql);
      return {
        run: (...values) => void statement.run(...(values as never[])),
        get: (...values) =>
          (statement.get(...(values as never[])) ?? undefined) as Record<string, SqlValue> | undefined,
        all: (...values) => statement.all(...(values as never[])) as Record<string, SqlValue>[],
      };
    },
    close: () => database.close(),
  };
};

function open(path: string, readOnly: boolean): DatabaseSync {
  try {
    return new DatabaseSync(path, { readOnly });
  } catch (error) {
    throw new FabricError("io", `Cannot open ${path}: ${messageOf(error)}`, { cause: error });
  }
}
