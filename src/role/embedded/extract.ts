import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { FabricError, messageOf } from "../../core/errors.ts";
import { checkPrivateFolder } from "../lifecycle/private-folder.ts";
import type { EmbeddedFile } from "./contract.ts";

/**
 * Puts embedded files into one private folder on disk, because the system's loader wants real files, and gives the folder.
 * The folder is named by the files' hashes; a file that is there already is used only if its hash is right. Many processes may
 * do this at once. Throws "io" naming every place that was tried where none can be written.
 */
export function extract(files: readonly EmbeddedFile[]): string {
  const key = createHash("sha256")
    .update(files.map((file) => file.sha256).join())
    .digest("hex")
    .slice(0, 16);
  const failures: string[] = [];
  for (const base of cacheFolders()) {
    const folder = join(base, `fabric-${key}`);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      checkPrivateFolder(folder);
      for (const file of files) place(file, join(folder, file.name));
      return folder;
    } catch (error) {
      failures.push(`${folder} (${messageOf(error)})`);
    }
  }
  throw new FabricError(
    "io",
    `Cannot unpack the embedded libraries: no cache folder is writable; set FABRIC_CACHE to one that is. Tried ${failures.join(", ")}`,
  );
}

/** Where to unpack, best first: FABRIC_CACHE alone where it is set, else XDG, home, the system's temporary folder. */
function cacheFolders(): readonly string[] {
  const { FABRIC_CACHE, XDG_CACHE_HOME, HOME } = process.env;
  if (FABRIC_CACHE) return [FABRIC_CACHE];
  const folders: string[] = [];
  if (XDG_CACHE_HOME) folders.push(join(XDG_CACHE_HOME, "fabric"));
  if (HOME) folders.push(join(HOME, ".cache", "fabric"));
  else if (homedir() !== "/") folders.push(join(homedir(), ".cache", "fabric"));
  folders.push(join(tmpdir(), `fabric-${process.getuid?.() ?? "user"}`));
  return folders;
}

function place(file: EmbeddedFile, path: string): void {
  if (hashOf(path) === file.sha256) return;
  const packed = readFileSync(file.path);
  const bytes = file.compressed ? zstdDecompressSync(packed) : packed;
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const handle = openSync(temporary, "wx", 0o700);
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(handle, bytes, written);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (hashOf(path) !== file.sha256) throw new FabricError("io", `${path} does not read back as written`);
}

function hashOf(path: string): string | null {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  } catch {
    return null;
  }
}
