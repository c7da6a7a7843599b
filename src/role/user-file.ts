import { resolve } from "node:path";
import { platform } from "#platform";
import type { Timer } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { checkInputFile } from "./input-file.ts";

/** A strategy or rule file has loaded after this, or is refused. */
const LOAD_WITHIN_MS = 10_000;

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
  checkInputFile(`load ${what}`, given);
  return check(await load(what, path), given);
}

async function load(what: string, path: string): Promise<unknown> {
  const fabric = await import("./user-api.ts");
  try {
    return await withinLimit(platform.importUserFile(path, fabric));
  } catch (error) {
    throw new FabricError("bad-data", `Cannot load ${what} ${path}: ${firstLine(error)}`, { cause: error });
  }
}

/** A file that awaits for ever at its top would hold up the start without a word. */
async function withinLimit(loading: Promise<unknown>): Promise<unknown> {
  let limit: Timer | null = null;
  const late = new Promise<never>((_, reject) => {
    limit = platform.timers.after(LOAD_WITHIN_MS, () =>
      reject(new Error(`it did not finish loading within ${LOAD_WITHIN_MS / 1000} s`)),
    );
  });
  try {
    return await Promise.race([loading, late]);
  } finally {
    (limit as Timer | null)?.cancel();
  }
}

/** A build error carries its own list, whose first entry says where. */
function firstLine(error: unknown): string {
  const list = (error as { readonly errors?: readonly unknown[] } | null | undefined)?.errors;
  const first = Array.isArray(list) && list.length > 0 ? list[0] : error;
  const position = (first as { readonly position?: { readonly line?: number } | null } | null | undefined)?.position;
  const at = position?.line === undefined ? "" : `line ${position.line}: `;
  return at + (messageOf(first).split("\n")[0] ?? "");
}
