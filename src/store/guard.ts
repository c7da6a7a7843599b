import type { Files } from "../core/env.ts";
import { FabricError } from "../core/errors.ts";
import type { NodeRole } from "../core/wire.ts";

/** What this process is: a node of some role, or a command that only looks (query, orders, tail …). */
export type ProcessRole = NodeRole | "command";

/**
 * The store's only module state, because both facts belong to the process and not to an object: what role it declared,
 * and which database files it has open. The map also keeps those handles alive: a collected handle would drop its lock.
 * Bound: one entry a store, so in practice one.
 */
let declared: ProcessRole | null = null;
const openFiles = new Map<string, object>();

/** Says once what this process is. Saying the same again is fine; another role throws FabricError "internal". */
export function declareRole(role: ProcessRole): void {
  if (declared !== null && declared !== role) {
    throw new FabricError("internal", `Cannot declare the role "${role}": this process already is "${declared}"`);
  }
  declared = role;
}

/** The declared role, for messages; "undeclared" before `declareRole`. */
export function processRole(): ProcessRole | "undeclared" {
  return declared ?? "undeclared";
}

/** The right to open one database file, given before the file is touched. */
export interface Opening {
  /** The path with every link resolved. */
  readonly path: string;
  /** Keeps the open handle alive until `release`. */
  keep(handle: object): void;
  /** Idempotent. */
  release(): void;
}

/**
 * The run-time lock on the door: every opening of an on-disk database passes here first, and nothing is opened, made or
 * stat-ed in DuckDB before it answers. Only market-data may, for reading as for writing: a database's name proves nothing
 * (links, renamed copies), so the rule does not look at names. In-memory databases need no leave. Throws FabricError "refused"
 * for any other role, "unavailable" where this very process has the file open (DuckDB's own lock does not see that, and
 * closing either handle would drop it for both).
 */
export function guardOpening(path: string, files: Files): Opening {
  if (declared !== "market-data") throw refusal(path, files);
  const real = files.realPath(path);
  if (openFiles.has(real)) {
    throw new FabricError("unavailable", `Cannot open the market store ${real}: this process has it open already`);
  }
  const placeholder = {};
  openFiles.set(real, placeholder);
  let current: object = placeholder;
  return {
    path: real,
    keep(handle) {
      current = handle;
      openFiles.set(real, handle);
    },
    release() {
      if (openFiles.get(real) === current) openFiles.delete(real);
    },
  };
}

function refusal(path: string, files: Files): FabricError {
  return new FabricError(
    "refused",
    `Cannot open the market store for writing: only the market-data role may, and this is "${processRole()}"; ` +
      `read the published segments instead of ${files.realPath(path)}`,
  );
}
