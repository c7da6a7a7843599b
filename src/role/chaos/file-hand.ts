import { closeSync, openSync, readSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import { storeLayout } from "../../store/layout.ts";
import { readManifest } from "../../store/manifest.ts";
import { readAdvertisement } from "../lifecycle/advertisement.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import type { Actor } from "./actor.ts";
import type { Deed } from "./plan.ts";
import type { FileFault } from "./wish.ts";

/** What was deleted is back within this, ms, unless its node or the disk was hurt meanwhile. */
export const HEAL_WITHIN_MS = 5000;
const LOOK_MS = 50;
/** After the run folder was deleted, names are taken anew within about a second. */
const RUN_ECHO_MS = 4000;

/** Something that was deleted or cut short behind a node's back, and how long until it was whole again. */
export interface Healing {
  readonly fault: FileFault;
  readonly what: string;
  /** Null where it was not within the bound. */
  readonly backMs: number | null;
}

interface Watch {
  readonly fault: FileFault;
  readonly what: string;
  readonly actor: Actor;
  readonly pid: number;
  readonly sinceMs: number;
  isWhole(): boolean;
}

/** Deletes and cuts short what lies in the data folder, and watches it come back. */
export class FileHand {
  readonly healings: Healing[] = [];
  /** Somebody relies on the files for a moment. */
  held = false;
  readonly #data: string;
  readonly #actors: readonly Actor[];
  readonly #diskTroubled: () => boolean;
  readonly #watches = new Set<Watch>();
  readonly #timer: { cancel(): void };
  readonly #done = new Set<FileFault>();
  #ranMs = Number.NEGATIVE_INFINITY;

  constructor(data: string, actors: readonly Actor[], diskTroubled: () => boolean) {
    this.#data = data;
    this.#actors = actors;
    this.#diskTroubled = diskTroubled;
    this.#timer = platform.timers.every(LOOK_MS, () => this.#look());
  }

  /** The run folder was deleted a moment ago: names may be free for a second. */
  get ranRecently(): boolean {
    return platform.clock.monotonicMs() - this.#ranMs < RUN_ECHO_MS;
  }

  /** Whether there was anything to hurt, and it could be. */
  hurt(deed: Extract<Deed, { kind: "file" }>): boolean {
    if (this.held) return false;
    try {
      if (!this.#hurt(deed)) return false;
    } catch {
      // A node put something there at that moment, or the disk is in trouble: half of it may be done, and is watched at the end.
    }
    this.#done.add(deed.fault);
    return true;
  }

  /**
   * With the faults over: whatever was ever hurt must be whole within the bound, though its node was killed meanwhile and nobody
   * watched.
   */
  lookAgain(): void {
    for (const actor of this.#actors) {
      const socket = this.#socketOf(actor.name);
      if (this.#done.has("socket") || this.#done.has("run"))
        this.#watch("socket", `socket of ${actor.name}`, actor, () => isSocket(socket));
      if (this.#done.has("advertisement") || this.#done.has("run"))
        this.#watch("advertisement", `advertisement of ${actor.name}`, actor, () => this.#isAdvertised(actor));
    }
    const writer = this.#writer();
    const stores = (["manifest", "segment", "published"] as const).find((fault) => this.#done.has(fault));
    if (writer && stores) this.#watch(stores, "the published store", writer, () => this.#isPublished(true));
  }

  get watching(): boolean {
    return this.#watches.size > 0;
  }

  #writer(): Actor | undefined {
    return this.#actors.find(({ part }) => part.role === "market-data");
  }

  #hurt(deed: Extract<Deed, { kind: "file" }>): boolean {
    const actor = this.#actors.find(({ name }) => name === deed.node);
    if (!actor) return false;
    switch (deed.fault) {
      case "socket":
        return this.#delete(deed.fault, this.#socketOf(deed.node), actor, "socket");
      case "advertisement":
        return this.#delete(deed.fault, join(this.#data, "run", `${deed.node}.json`), actor, "advertisement");
      case "run":
        return this.#deleteRun();
      case "manifest":
        return this.#hurtFile(deed, storeLayout(this.#data).manifest);
      case "published":
        return this.#deletePublished();
      default:
        return this.#hurtSegment(deed);
    }
  }

  close(): void {
    this.#timer.cancel();
  }

  #socketOf(node: string): string {
    return dataFolder(this.#data).ipcEndpoint(node).slice("ipc://".length);
  }

  #delete(fault: FileFault, path: string, actor: Actor, what: "socket" | "advertisement"): boolean {
    if (!platform.files.stat(path)) return false;
    rmSync(path, { force: true });
    this.#watch(fault, `${what} of ${actor.name}`, actor, () =>
      what === "socket" ? isSocket(path) : this.#isAdvertised(actor),
    );
    return true;
  }

  #deleteRun(): boolean {
    const run = join(this.#data, "run");
    if (!platform.files.stat(run)) return false;
    this.#ranMs = platform.clock.monotonicMs();
    rmSync(run, { recursive: true, force: true });
    for (const actor of this.#actors) {
      if (actor.pid === null) continue;
      this.#watch("run", `run folder for ${actor.name}`, actor, () => {
        return isSocket(this.#socketOf(actor.name)) && this.#isAdvertised(actor);
      });
    }
    return true;
  }

  /** All of it, though the writer may put a file into it meanwhile. */
  #deletePublished(): boolean {
    const { published } = storeLayout(this.#data);
    const writer = this.#writer();
    if (!writer || !platform.files.stat(published)) return false;
    try {
      rmSync(published, { recursive: true, force: true, maxRetries: 5 });
    } catch {
      // A read-only folder protects what is in it; what else was there may be gone.
    }
    this.#watch("published", "the published folder", writer, () => this.#isPublished());
    return true;
  }

  #hurtSegment(deed: Extract<Deed, { kind: "file" }>): boolean {
    try {
      const layout = storeLayout(this.#data);
      const listed = readManifest(layout.manifest, platform.files)?.segments ?? [];
      const segment = listed[deed.pick % Math.max(1, listed.length)];
      return segment !== undefined && this.#hurtFile(deed, join(layout.segments, segment.file));
    } catch {
      return false;
    }
  }

  #hurtFile(deed: Extract<Deed, { kind: "file" }>, path: string): boolean {
    const stat = platform.files.stat(path);
    const writer = this.#writer();
    if (!stat || !writer) return false;
    try {
      if (deed.how === "delete") rmSync(path, { force: true });
      else if (deed.how === "flip") flipByte(path, deed.pick % Math.max(1, stat.sizeBytes));
      else truncateSync(path, deed.pick % Math.max(1, stat.sizeBytes));
    } catch {
      // A read-only folder protects it.
      return false;
    }
    const how = deed.how === "flip" ? "a byte flipped" : `${deed.how}d`;
    this.#watch(deed.fault, `${deed.fault}, ${how}`, writer, () => this.#isPublished(deed.how === "flip"));
    return true;
  }

  /** The manifest can be read, and every file it lists is there in its size; `exact`: with its very bytes. */
  #isPublished(exact = false): boolean {
    const layout = storeLayout(this.#data);
    try {
      const manifest = readManifest(layout.manifest, platform.files);
      if (!manifest) return false;
      return manifest.segments.every(({ file, bytes, sha256 }) => {
        const path = join(layout.segments, file);
        if (platform.files.stat(path)?.sizeBytes !== bytes) return false;
        return !exact || platform.files.sha256(path) === sha256;
      });
    } catch {
      return false;
    }
  }

  #isAdvertised({ name, pid }: Actor): boolean {
    return readAdvertisement(join(this.#data, "run"), platform.files, name)?.pid === pid;
  }

  #watch(fault: FileFault, what: string, actor: Actor, isWhole: () => boolean): void {
    if (actor.pid === null) return;
    this.#watches.add({ fault, what, actor, pid: actor.pid, sinceMs: platform.clock.monotonicMs(), isWhole });
  }

  #look(): void {
    for (const watch of this.#watches) {
      const { fault, what, actor, pid, sinceMs } = watch;
      const ageMs = platform.clock.monotonicMs() - sinceMs;
      if (actor.pid !== pid || actor.frozen || this.#diskTroubled()) this.#watches.delete(watch);
      else if (watch.isWhole()) {
        this.#watches.delete(watch);
        this.healings.push({ fault, what, backMs: Math.round(ageMs) });
      } else if (ageMs > HEAL_WITHIN_MS) {
        this.#watches.delete(watch);
        this.healings.push({ fault, what, backMs: null });
      }
    }
  }
}

/** Another byte in place of the one there: the size, and mostly the form, stay. */
function flipByte(path: string, at: number): void {
  const file = openSync(path, "r+");
  try {
    const byte = new Uint8Array(1);
    readSync(file, byte, 0, 1, at);
    writeSync(file, Uint8Array.of((byte[0] ?? 0) ^ 0xff), 0, 1, at);
  } finally {
    closeSync(file);
  }
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}
