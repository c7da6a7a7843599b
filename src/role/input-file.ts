import { platform } from "#platform";
import { FabricError } from "../core/errors.ts";

/** Before anything is made or opened: throws "missing-input" for a file that is not there, "bad-data" for a folder. */
export function checkInputFile(action: string, path: string): void {
  const stat = platform.files.stat(path);
  if (!stat) throw new FabricError("missing-input", `Cannot ${action} ${path}: there is no such file`);
  if (stat.isDirectory) throw new FabricError("bad-data", `Cannot ${action} ${path}: expected a file, found a folder`);
}
