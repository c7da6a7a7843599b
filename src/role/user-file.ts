import { resolve } from "node:path";
import { platform } from "#platform";
import { FabricError, messageOf } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";

/**
 * A built-in by its name, or what a user's .ts file exports. `check` turns the module into the thing wanted and throws
 * "bad-data" where it is not one. Throws "usage" for an unknown name, "missing-input" for no such file, "bad-data" where it does
 * not compile or throws while loading.
 */
export async function builtinOrFile<T>(
  what: string,
  given: string,
  builtins: ReadonlyMap<string, T>,
  check: (module: unknown, where: string) => T,
): Promise<T> {
  const builtin = builtins.get(given);
  if (builtin) return builtin;
  if (!/\.[cm]?[jt]s$/.test(given)) {
    const names = [...builtins.keys()];
    throw new FabricError(
      "usage",
      `Unknown ${what} "${given}": expected ${names.join(", ")} or a .ts file${didYouMean(given, names)}`,
    );
  }
  const path = resolve(given);
  if (!platform.files.stat(path))
    throw new FabricError("missing-input", `Cannot load ${what} ${given}: there is no such file`);
  return check(await load(what, path), given);
}

async function load(what: string, path: string): Promise<unknown> {
  const fabric = await import("./user-api.ts");
  try {
    return await platform.importUserFile(path, fabric);
  } catch (error) {
    throw new FabricError("bad-data", `Cannot load ${what} ${path}: ${firstLine(error)}`, { cause: error });
  }
}

/** A build error carries its own list, whose first entry says where. */
function firstLine(error: unknown): string {
  const list = (error as { readonly errors?: readonly unknown[] }).errors;
  const first = Array.isArray(list) && list.length > 0 ? list[0] : error;
  const position = (first as { readonly position?: { readonly line?: number; readonly column?: number } | null })
    .position;
  const at = position?.line === undefined ? "" : `line ${position.line}: `;
  return at + (messageOf(first).split("\n")[0] ?? "");
}
