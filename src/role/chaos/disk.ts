import { spawnSync } from "node:child_process";
import { closeSync, cpSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import { messageOf } from "../../core/errors.ts";
import { removeTree } from "./folder.ts";

/** Room enough for an hour of the play's market; small enough to be filled in a moment. */
const DISK_MEGABYTES = 96;
const BALLAST = "ballast";
const PIECE_BYTES = 1024 * 1024;
/** Folders of the data folder that may be made read-only. */
export const GUARDED = ["published", "journal"] as const;

/**
 * A small disk of its own under the data folder, so that it can be full. Needs leave to mount (root). What it holds is copied
 * back into the folder at the end.
 */
export class Disk {
  readonly #path: string;
  readonly #readOnly = new Set<string>();
  #full = false;
  #closed = false;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Mounts one over the folder; a text says why there is none. */
  static mount(path: string): Disk | string {
    if (process.platform !== "linux") return "a small disk of its own needs Linux";
    const refusal = run("mount", ["-t", "tmpfs", "-o", `size=${DISK_MEGABYTES}m,mode=0700`, "fabric-chaos", path]);
    return refusal === null ? new Disk(path) : `a small disk of its own needs leave to mount one (${refusal})`;
  }

  get troubled(): boolean {
    return this.#full || this.#readOnly.size > 0;
  }

  get full(): boolean {
    return this.#full;
  }

  /** Writes until not one byte more fits. */
  fill(): void {
    this.#full = true;
    const file = openSync(join(this.#path, BALLAST), "a", 0o600);
    for (let bytes = PIECE_BYTES; bytes >= 1; ) {
      try {
        if (writeSync(file, new Uint8Array(bytes)) < bytes) bytes = Math.floor(bytes / 2);
      } catch {
        bytes = Math.floor(bytes / 2);
      }
    }
    closeSync(file);
  }

  free(): void {
    rmSync(join(this.#path, BALLAST), { force: true });
    this.#full = false;
  }

  /** Makes a folder read-only for whoever opens anything in it from now on; null, or why it cannot. */
  guard(folder: (typeof GUARDED)[number]): string | null {
    const path = join(this.#path, folder);
    if (this.#readOnly.has(path)) return null;
    const refusal = run("mount", ["--bind", path, path]) ?? run("mount", ["-o", "remount,bind,ro", path]);
    if (refusal === null) this.#readOnly.add(path);
    else run("umount", ["-l", path]);
    return refusal;
  }

  unguard(): void {
    for (const path of this.#readOnly) run("umount", ["-l", path]);
    this.#readOnly.clear();
  }

  /** Unmounts all; `keep`: what the disk holds then lies in the folder itself. Idempotent. */
  close(keep: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.unguard();
    this.free();
    const copy = `${this.#path}.copy-${process.pid}`;
    try {
      if (keep) cpSync(this.#path, copy, { recursive: true, preserveTimestamps: true });
    } finally {
      run("umount", ["-l", this.#path]);
    }
    if (!keep) return;
    for (const name of platform.files.list(copy)) {
      removeTree(join(this.#path, name));
      renameSync(join(copy, name), join(this.#path, name));
    }
    removeTree(copy);
  }
}

/** What may be mounted for a data folder, innermost first. */
export function possibleMounts(path: string): readonly string[] {
  return [...GUARDED.map((name) => join(path, name)), path];
}

/** Mounts at or below a path, by the kernel's own list. */
export function mountsBelow(path: string): readonly string[] {
  try {
    return readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[1] ?? "")
      .filter((mount) => mount === path || mount.startsWith(`${path}/`));
  } catch {
    // A system without that list has no mounts of ours either: nothing can be mounted there.
    return [];
  }
}

/** Null where the command worked, else what it said. */
function run(command: string, words: readonly string[]): string | null {
  const done = spawnSync(command, words, { encoding: "utf8", timeout: 5000 });
  if (done.status === 0) return null;
  return done.error ? messageOf(done.error) : done.stderr.trim() || `${command} ended with ${done.status}`;
}
