import { rmSync, statSync, truncateSync } from "node:fs";
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

  /** Whether there was anything to hurt. */
  hurt(deed: Extract<Deed, { kind: "file" }>): boolean {
    if (this.held) return false;
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
    const writer = this.#actors.find(({ part }) => part.role === "market-data");
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
    const writer = this.#actors.find(({ part }) => part.role === "market-data");
    if (!stat || !writer) return false;
    try {
      if (deed.how === "delete") rmSync(path, { force: true });
      else truncateSync(path, deed.pick % Math.max(1, stat.sizeBytes));
    } catch {
      // A read-only folder protects it.
      return false;
    }
    this.#watch(deed.fault, `${deed.fault}, ${deed.how}d`, writer, () => this.#isPublished());
    return true;
  }

  /** The manifest can be read, and every file it lists is there in its size. */
  #isPublished(): boolean {
    const layout = storeLayout(this.#data);
    try {
      const manifest = readManifest(layout.manifest, platform.files);
      if (!manifest) return false;
      return manifest.segments.every(
        ({ file, bytes }) => platform.files.stat(join(layout.segments, file))?.sizeBytes === bytes,
      );
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

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}
