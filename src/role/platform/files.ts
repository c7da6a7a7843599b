import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Files } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";

const HASH_PIECE_BYTES = 1024 * 1024;
let temporaries = 0;

/** The disk through node:fs, on both runtimes. */
export const systemFiles: Files = {
  readText: (path) => attempt("read", path, () => readFileSync(path, "utf8")),
  readBytes: (path) => attempt("read", path, () => new Uint8Array(readFileSync(path))),
  writeDurably: (path, data) => attempt("write", path, () => writeDurably(path, data)),
  stat(path) {
    return attempt("look at", path, () => {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (!stat) return null;
      return {
        sizeBytes: stat.size,
        isDirectory: stat.isDirectory(),
        modifiedMs: Math.max(stat.mtimeMs, stat.ctimeMs),
      };
    });
  },
  list: (folder) => attempt("list", folder, () => (existsSync(folder) ? readdirSync(folder).sort() : [])),
  makeFolder(path) {
    attempt("make the folder", path, () => mkdirSync(path, { recursive: true, mode: 0o700 }));
  },
  remove: (path) => attempt("remove", path, () => rmSync(path, { force: true })),
  rename: (from, to) => attempt("rename", from, () => renameSync(from, to)),
  sync: (path) => attempt("sync", path, () => syncPath(path)),
  realPath: (path) => attempt("resolve", path, () => realPath(resolve(path))),
  sha256: (path) => attempt("read", path, () => hashFile(path)),
};

function writeDurably(path: string, data: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}-${++temporaries}.tmp`;
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  try {
    const file = openSync(temporary, "wx", 0o600);
    try {
      let written = 0;
      while (written < bytes.length) written += writeSync(file, bytes, written);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncPath(dirname(path));
}

function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** realpath of the longest part that exists, with the rest as it stands: a file about to be made has a real path, too. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const parent = dirname(path);
    if (parent === path || !isMissing(error)) throw error;
    return join(realPath(parent), basename(path));
  }
}

function hashFile(path: string): string {
  const hash = createHash("sha256");
  const piece = new Uint8Array(HASH_PIECE_BYTES);
  const file = openSync(path, "r");
  try {
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) hash.update(piece.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
}

function attempt<T>(action: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const code = isMissing(error) ? "missing-input" : "io";
    throw new FabricError(code, `Cannot ${action} ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === "ENOENT";
}
