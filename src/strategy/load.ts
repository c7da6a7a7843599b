import { FabricError } from "../core/errors.ts";
import { isStrategy, type Strategy } from "./contract.ts";

const NAME = /^[a-z0-9][a-z0-9._-]{0,47}$/i;

/**
 * The strategy that a loaded module exports as its default. `where` names the file for people. Throws FabricError "bad-data"
 * in one line: no default export, not made by defineStrategy, or a field that is missing or wrong.
 */
export function asStrategy(module: unknown, where: string): Strategy {
  const found = defaultExportOf(module);
  const fault = found === undefined ? "it has no default export" : strategyFault(found);
  if (fault !== null) {
    throw new FabricError(
      "bad-data",
      `Cannot use strategy ${where}: ${fault}; expected \`export default defineStrategy({ … })\``,
    );
  }
  return found as Strategy;
}

function defaultExportOf(module: unknown): unknown {
  return typeof module === "object" && module !== null ? (module as { readonly default?: unknown }).default : undefined;
}

function strategyFault(value: unknown): string | null {
  if (!isStrategy(value)) return "its default export was not made by defineStrategy";
  const fields: Readonly<Record<string, unknown>> = { ...value };
  if (typeof fields.name !== "string" || !NAME.test(fields.name)) return 'its "name" is not 1 to 48 letters or digits';
  if (typeof fields.version !== "string" || fields.version === "") return 'its "version" is not text';
  for (const field of ["warmup", "init", "onCandle"]) {
    if (typeof fields[field] !== "function") return `its "${field}" is missing or not a function`;
  }
  for (const field of ["onGap", "indicators", "save", "restore"]) {
    if (fields[field] !== undefined && typeof fields[field] !== "function") return `its "${field}" is not a function`;
  }
  if ((fields.save === undefined) !== (fields.restore === undefined)) return '"save" and "restore" go together';
  if (!isObjectSchema(fields.params)) return 'its "params" is not a valibot object schema (v.object({ … }))';
  return null;
}

function isObjectSchema(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { kind, entries } = value as { readonly kind?: unknown; readonly entries?: unknown };
  return kind === "schema" && typeof entries === "object" && entries !== null;
}
