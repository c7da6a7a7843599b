import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import { messageOf } from "../../core/errors.ts";
import { copyTree, removeTree } from "./folder.ts";
import { topmostDevice } from "./mounts.ts";

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
  readonly #device: string;
  readonly #readOnly = new Set<string>();
  #full = false;
  #closed = false;

  private constructor(path: string, device: string) {
    this.#path = path;
    this.#device = device;
  }

  /**
   * Mounts one over the folder, also where something of somebody else's is mounted there already. `device`: the name by which its mounts
   * are told from all others, this run's alone. A text says why there is none.
   */
  static mount(path: string, device: string): Disk | string {
    if (process.platform !== "linux") return "a small disk of its own needs Linux";
    const refusal = run("mount", ["-t", "tmpfs", "-o", `size=${DISK_MEGABYTES}m,mode=0700`, device, path]);
    return refusal === null ? new Disk(path, device) : `a small disk of its own needs leave to mount one (${refusal})`;
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
    const unbound = run("mount", ["--bind", path, path]);
    if (unbound !== null) return unbound;
    this.#readOnly.add(path);
    const writable = run("mount", ["-o", "remount,bind,ro", path]);
    if (writable !== null) this.#unguard(path);
    return writable;
  }

  /** What cannot be unmounted now stays guarded, and the disk troubled: to be tried again. */
  unguard(): void {
    for (const path of this.#readOnly) this.#unguard(path);
  }

  #unguard(path: string): void {
    if (this.#unmount(path) === null) this.#readOnly.delete(path);
  }

  /**
   * Unmounts all; `keep`: what the disk holds then lies in the folder itself, all of it or nothing. Null, or what went wrong.
   * Idempotent.
   */
  close(keep: boolean): string | null {
    if (this.#closed) return null;
    this.#closed = true;
    const copy = `${this.#path}.copy-${process.pid}`;
    const problems: string[] = [];
    const attempt = (what: string, act: () => void) => {
      try {
        act();
        return true;
      } catch (error) {
        problems.push(`${what}: ${messageOf(error)}`);
        return false;
      }
    };
    this.unguard();
    attempt("the disk cannot be freed", () => this.free());
    const copied = keep && attempt("what the disk held cannot be copied", () => copyTree(this.#path, copy));
    const stuck = this.#unmount(this.#path);
    if (stuck !== null) problems.push(`the disk cannot be unmounted: ${stuck}`);
    const laid = copied && stuck === null && attempt(`what the disk held is in ${copy}`, () => this.#layBack(copy));
    if (laid) attempt(`${copy} cannot be removed`, () => removeTree(copy));
    return problems.length === 0 ? null : problems.join("; ");
  }

  /** The folder itself may be on another file system than its neighbour, the copy. */
  #layBack(copy: string): void {
    for (const name of platform.files.list(copy)) {
      removeTree(join(this.#path, name));
      copyTree(join(copy, name), join(this.#path, name));
    }
  }

  /** Takes off the topmost mount of a path where it is ours, once; null where nothing of ours is left on it. */
  #unmount(path: string): string | null {
    if (topmostDevice(path) !== this.#device) return null;
    return run("umount", ["-l", path]);
  }
}

/** What may be mounted for a data folder, innermost first. */
export function possibleMounts(path: string): readonly string[] {
  return [...GUARDED.map((name) => join(path, name)), path];
}

/** Null where the command worked, else what it said. */
function run(command: string, words: readonly string[]): string | null {
  const done = spawnSync(command, words, { encoding: "utf8", timeout: 5000 });
  if (done.status === 0) return null;
  const [said = ""] = done.stderr?.trim().split("\n") ?? [];
  return done.error ? messageOf(done.error) : said || `${command} ended with ${done.status}`;
}
