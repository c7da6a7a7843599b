import type { Files, Log, Random, Timer, Timers } from "../core/env.ts";
import { isPassing, messageOf } from "../core/errors.ts";
import type { StoreLayout } from "./layout.ts";
import type { Segment } from "./manifest.ts";
import type { SegmentContent, SegmentRange } from "./ports.ts";

export interface SegmentFolderDeps {
  readonly files: Files;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

/** The folder of a store's segment files, as its writer sees it. Its methods throw FabricError "io" where none else is named. */
export class SegmentFolder {
  readonly #layout: StoreLayout;
  readonly #deps: SegmentFolderDeps;
  readonly #graceMs: number;
  readonly #deletions = new Set<Timer>();

  /** `graceMs`: how long a file that is no longer listed stays for readers of the older manifest. */
  constructor(layout: StoreLayout, deps: SegmentFolderDeps, graceMs: number) {
    this.#layout = layout;
    this.#deps = deps;
    this.#graceMs = graceMs;
  }

  make(): void {
    this.#deps.files.makeFolder(this.#layout.segments);
  }

  /** A new file for a range: written under a temporary name, synced, hashed, then renamed. Leaves nothing where that fails. */
  async put(
    range: Omit<SegmentRange, "path">,
    write: (range: SegmentRange) => Promise<SegmentContent>,
  ): Promise<Segment> {
    const { kind, first, last } = range;
    const file = `${kind}-${padded(first)}-${padded(last)}-${this.#deps.random.uuid().slice(0, 8)}.parquet`;
    const [path, temporary] = [this.#pathOf(file), this.#pathOf(`${file}.tmp`)];
    try {
      const content = await write({ ...range, path: temporary });
      this.#deps.files.sync(temporary);
      const sha256 = this.#deps.files.sha256(temporary);
      this.#deps.files.rename(temporary, path);
      return { file, kind, firstSeq: first, lastSeq: last, ...content, sha256, settled: false };
    } catch (error) {
      this.remove(`${file}.tmp`);
      throw error;
    }
  }

  /** What is in it; null where it is gone. One look into the folder, cheap enough for every seal. */
  names(): ReadonlySet<string> | null {
    if (!this.#deps.files.stat(this.#layout.segments)?.isDirectory) return null;
    return new Set(this.#deps.files.list(this.#layout.segments));
  }

  /** One stat: whether the file is there in its size, and its newest change, epoch ms. */
  lookAt(segment: Segment): { readonly fault: string | null; readonly modifiedMs: number } {
    const stat = this.#deps.files.stat(this.#pathOf(segment.file));
    if (stat === null) return { fault: "missing", modifiedMs: 0 };
    const { isDirectory, sizeBytes, modifiedMs } = stat;
    if (isDirectory) return { fault: "a folder", modifiedMs };
    const fault = sizeBytes === segment.bytes ? null : `${sizeBytes} bytes instead of ${segment.bytes}`;
    return { fault, modifiedMs };
  }

  /** By size, then by content: reads the whole file. */
  faultOf(segment: Segment): string | null {
    const { fault } = this.lookAt(segment);
    if (fault !== null) return fault;
    try {
      return this.#deps.files.sha256(this.#pathOf(segment.file)) === segment.sha256 ? null : "damaged";
    } catch (error) {
      if (!isPassing(error)) throw error;
      return "unreadable";
    }
  }

  /** A kill leaves temporary files and files no longer listed: the first go at once, the others after the grace period. */
  sweep(listed: ReadonlySet<string>): void {
    const unlisted = this.#deps.files.list(this.#layout.segments).filter((file) => !listed.has(file));
    for (const file of unlisted.filter((name) => name.endsWith(".tmp"))) this.remove(file);
    for (const file of this.#deps.files.list(this.#layout.published)) {
      if (/^manifest\.json\..*\.tmp$/.test(file)) this.#deps.files.remove(`${this.#layout.published}/${file}`);
    }
    this.removeLater(unlisted.filter((name) => !name.endsWith(".tmp")));
  }

  removeLater(files: readonly string[]): void {
    if (files.length === 0) return;
    const timer = this.#deps.timers.after(this.#graceMs, () => {
      this.#deletions.delete(timer);
      for (const file of files) this.remove(file);
    });
    this.#deletions.add(timer);
  }

  /** Leaves what was to be removed to the next start's sweep. Idempotent. */
  cancelRemovals(): void {
    for (const timer of this.#deletions) timer.cancel();
    this.#deletions.clear();
  }

  /** Never throws: the next start sweeps what stays. */
  remove(file: string): void {
    try {
      this.#deps.files.remove(this.#pathOf(file));
    } catch (error) {
      this.#deps.log.warn(`Could not remove the unlisted segment ${file}: ${messageOf(error)}`);
    }
  }

  #pathOf(file: string): string {
    return `${this.#layout.segments}/${file}`;
  }
}

function padded(seq: number): string {
  return String(seq).padStart(12, "0");
}
