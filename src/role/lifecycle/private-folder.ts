import { chmodSync, lstatSync } from "node:fs";
import { FabricError } from "../../core/errors.ts";

/** Throws "io" where the folder is somebody else's or a link, and closes it to others where it is ours and open. */
export function checkPrivateFolder(folder: string): void {
  const stat = lstatSync(folder);
  if (!stat.isDirectory())
    throw new FabricError("io", `Cannot use ${folder}: expected a folder of our own, found a link or a file`);
  if (process.getuid && stat.uid !== process.getuid()) {
    throw new FabricError("io", `Cannot use ${folder}: expected a folder of our own, found one of user ${stat.uid}`);
  }
  if ((stat.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}
