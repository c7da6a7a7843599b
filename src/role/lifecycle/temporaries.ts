import { join } from "node:path";
import type { Files } from "../../core/env.ts";

/**
 * Removes what a kill -9 in the middle of `writeDurably` left beside a file. Only for the one process that writes that file. Throws
 * FabricError "io".
 */
export function sweepTemporaries(folder: string, file: string, files: Files): void {
  for (const name of files.list(folder)) {
    const isOurs = name.startsWith(`${file}.`) && /^\d+-\d+\.tmp$/.test(name.slice(file.length + 1));
    if (isOurs) files.remove(join(folder, name));
  }
}
