import type { FileStat, Files } from "../../src/core/env.ts";
import { FabricError } from "../../src/core/errors.ts";
import type { Seeded } from "../provider/sim/seeded.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** A file. `rows` where it is a segment: the rows themselves stand for its bytes. */
export interface DiskFile {
  readonly text: string;
  readonly rows: readonly unknown[] | null;
  readonly bytes: number;
  readonly writtenMs: number;
  /** The machine's wall clock at that moment. */
  readonly stampMs: number;
  isTorn: boolean;
  /** As long as before, with other values in it. */
  readonly isFlipped?: boolean;
  isSynced: boolean;
  /** What stood here before, and would again where the power fails before the folder is synced; undefined: nothing. */
  replaced: DiskFile | null | undefined;
}

/** Time stamps of files step by this much. */
const STAMP_MS = 10;

/** The disk of a machine: it outlives processes, and loses what was not synced when the power fails. */
export class SimDisk {
  readonly world: World;
  readonly files = new Map<string, DiskFile>();
  readonly folders = new Set<string>();
  readonly chance: Seeded;
  /** Told of every file that takes its place under a name. */
  readonly onPlaced: ((path: string, file: DiskFile) => void)[] = [];
  fullUntilMs = 0;
  /** Runners that were ever halted. */
  readonly halted = new Set<string>();

  constructor(world: World) {
    this.world = world;
    this.chance = world.chance("disk");
  }

  get isFull(): boolean {
    return this.world.isHurting && this.world.nowMs < this.fullUntilMs;
  }

  put(path: string, file: DiskFile): void {
    this.files.set(path, file);
  }

  /** Other values under the same name and size: only the time stamp and the bytes tell. */
  flip(path: string): void {
    const file = this.files.get(path);
    if (file) this.files.set(path, { ...file, isFlipped: true, stampMs: this.world.wallMs });
  }

  /** What was not synced is lost, or torn. */
  losePower(): void {
    for (const [path, file] of [...this.files]) {
      if (!file.isSynced && this.chance.chance(0.6)) {
        if (this.chance.chance(0.5)) this.files.delete(path);
        else file.isTorn = true;
      } else if (file.replaced !== undefined && this.chance.chance(0.5)) {
        if (file.replaced === null) this.files.delete(path);
        else this.files.set(path, file.replaced);
      }
    }
  }

  /** Puts a halt file for the runner where the product looks for it; gives what takes it away. */
  halt(runner: string): () => void {
    const path = `/data/halt/${runner}.json`;
    const text = '{"reason":"the simulator says so","at":1}';
    const [writtenMs, stampMs] = [this.world.nowMs, this.world.wallMs];
    const file = { text, rows: null, bytes: text.length, writtenMs, stampMs, isTorn: false, isSynced: true };
    this.halted.add(runner);
    this.put(path, { ...file, replaced: undefined });
    return () => void this.files.delete(path);
  }

  unhalt(): void {
    for (const runner of this.halted) this.files.delete(`/data/halt/${runner}.json`);
  }

  view(life: Life): Files {
    return new DiskView(this, life);
  }
}

class DiskView implements Files {
  readonly #disk: SimDisk;
  readonly #life: Life;
  /** The newest manifest this reader has seen: it never sees an older one again. */
  readonly #seen = new Map<string, DiskFile>();

  constructor(disk: SimDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  readText(path: string): string {
    this.#life.step(`reading ${path}`);
    return this.#found(path).text;
  }

  readBytes(path: string): Uint8Array {
    return new TextEncoder().encode(this.readText(path));
  }

  writeDurably(path: string, data: string | Uint8Array): void {
    this.#life.step(`writing ${path}`);
    if (this.#disk.isFull) throw new FabricError("io", `Cannot write ${path}: no space left on device`);
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    const temporary = `${path}.${this.#life.number}.tmp`;
    const file = { ...this.#fresh(text), isSynced: true };
    this.#disk.put(temporary, { ...file, isSynced: false });
    this.#life.step(`renaming to ${path}`);
    this.#disk.files.delete(temporary);
    this.#disk.put(path, { ...file, replaced: undefined });
    for (const told of this.#disk.onPlaced) told(path, file);
    this.#life.step(`wrote ${path}`);
  }

  stat(path: string): FileStat | null {
    this.#life.step(`looking at ${path}`);
    const file = this.#visible(path);
    if (!file) return this.#disk.folders.has(path) ? { sizeBytes: 0, isDirectory: true, modifiedMs: 0 } : null;
    const modifiedMs = Math.floor(file.stampMs / STAMP_MS) * STAMP_MS;
    return { sizeBytes: file.isTorn ? Math.floor(file.bytes / 2) : file.bytes, isDirectory: false, modifiedMs };
  }

  list(folder: string): readonly string[] {
    this.#life.step(`listing ${folder}`);
    const prefix = `${folder}/`;
    return [...this.#disk.files.keys()]
      .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes("/"))
      .map((path) => path.slice(prefix.length))
      .sort();
  }

  makeFolder(path: string): void {
    this.#life.step(`making ${path}`);
    this.#disk.folders.add(path);
  }

  remove(path: string): void {
    this.#life.step(`removing ${path}`);
    this.#disk.files.delete(path);
  }

  rename(from: string, to: string): void {
    this.#life.step(`renaming ${from}`);
    const file = this.#found(from);
    const before = this.#disk.files.get(to) ?? null;
    this.#disk.files.delete(from);
    const placed = { ...file, replaced: before };
    this.#disk.put(to, placed);
    for (const told of this.#disk.onPlaced) told(to, placed);
  }

  sync(path: string): void {
    this.#life.step(`syncing ${path}`);
    this.#found(path).isSynced = true;
  }

  realPath(path: string): string {
    return path;
  }

  sha256(path: string): string {
    this.#life.step(`hashing ${path}`);
    const file = this.#found(path);
    return `${file.isTorn ? "torn" : file.isFlipped ? "flipped" : "sha"}-${file.text}`;
  }

  #found(path: string): DiskFile {
    const file = this.#visible(path);
    if (!file) throw new FabricError("missing-input", `Cannot read ${path}: no such file`);
    return file;
  }

  /** A manifest that was just replaced may show late to a reader on another machine's mount. */
  #visible(path: string): DiskFile | undefined {
    const newest = this.#disk.files.get(path);
    const { world } = this.#disk;
    if (!newest || !path.endsWith("manifest.json") || this.#life.node === "market-data") return newest;
    const seen = this.#seen.get(path);
    if (!seen || seen === newest) {
      this.#seen.set(path, newest);
      return newest;
    }
    const rate = world.scenario.rates["store.old-manifest"];
    if (world.isHurting && world.nowMs - newest.writtenMs < 3000 && this.#life.chance.chance(rate)) return seen;
    this.#seen.set(path, newest);
    return newest;
  }

  #fresh(text: string): DiskFile {
    return {
      ...{ text, rows: null, bytes: text.length, writtenMs: this.#disk.world.nowMs },
      ...{ stampMs: this.#disk.world.wallMs },
      ...{ isTorn: false, isSynced: false, replaced: undefined },
    };
  }
}
