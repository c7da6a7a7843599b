import { statSync } from "node:fs";
import { platform } from "#platform";
import { FabricError } from "../core/errors.ts";

/**
 * The lines of a file that nobody but its owner may read, without the space around them. `what` it holds and `key`, the flag or
 * setting that names it, are for messages. Throws FabricError "missing-input" where there is none, "config" where it is no file,
 * "refused" where others may read it.
 */
export function privateLines(path: string, what: string, key: string): readonly string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new FabricError("missing-input", `Cannot read ${what}: there is no file ${path} (${key})`);
  if (!stat.isFile()) throw new FabricError("config", `Cannot read ${what}: ${path} is not a file (${key})`);
  if ((stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    throw new FabricError(
      "refused",
      `Cannot use ${what}: ${path} has mode ${mode}, and nobody but its owner may read it; chmod 600 it`,
    );
  }
  return platform.files
    .readText(path)
    .split("\n")
    .map((line) => line.trim());
}
