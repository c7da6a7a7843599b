import { join } from "node:path";
import { assert } from "../../core/errors.ts";
import { embedded } from "./binary.ts";
import { extract } from "./extract.ts";

/**
 * Stands in for @duckdb/node-bindings in the compiled binary: unpacks libduckdb and its Node-API file side by side (the second
 * finds the first beside it) and loads them. Blocks for about a quarter of a second the first time ever, some 40 ms later.
 */
export function loadDuckDbBindings(): unknown {
  assert(embedded, "the compiled binary carries its libraries");
  const folder = extract([embedded.duckdbNode, embedded.libduckdb]);
  const loaded: { exports: unknown } = { exports: {} };
  process.dlopen(loaded, join(folder, embedded.duckdbNode.name));
  return loaded.exports;
}
