import { assert, isPassing } from "../core/errors.ts";
import { planMerge } from "./compaction.ts";
import type { SymbolHead } from "./contract.ts";
import type { StoreLayout } from "./layout.ts";
import { headRows, type Manifest, type Segment } from "./manifest.ts";
import { newestOf, usableManifest } from "./manifest-check.ts";
import { ManifestFile, type Told } from "./manifest-file.ts";
import type { Lane, Truth } from "./ports.ts";
import { SEGMENT_KINDS, type SegmentKind } from "./schema.ts";
import { SegmentFolder, type SegmentFolderDeps } from "./segment-folder.ts";
import { SegmentWatch } from "./segment-watch.ts";

export interface PublicationTuning {
  /** How long a file that the manifest no longer lists stays for readers of the older manifest. */
  readonly deletionGraceMs: number;
  /** Most rows in one segment. */
  readonly maxSegmentRows: number;
  /** How many adjacent segments become one. */
  readonly mergeWidth: number;
  /** One call writes segments until it has done this many rows; the rest is for the next calls, so that commits come between. */
  readonly rowsPerCall: number;
}

/** Identity and heads that go into the manifest beside what the truth's state says. */
export interface ManifestFacts {
  readonly venue: string;
  readonly heads: ReadonlyMap<string, SymbolHead>;
}

/**
 * The published side of a store: segment files and the manifest that lists them. All of it is derived from the truth and can be
 * rebuilt from it. Its calls come from the writer's queue, one at a time; only the copying part of `merge` runs beside it.
 */
export class Publication {
  readonly #layout: StoreLayout;
  readonly #truth: Truth;
  readonly #deps: SegmentFolderDeps;
  readonly #tuning: PublicationTuning;
  readonly #folder: SegmentFolder;
  readonly #manifest: ManifestFile;
  readonly #watch: SegmentWatch;
  /** As the manifest lists them, but for those rebuilt since. */
  #segments: readonly Segment[] = [];
  /** Written, and listed by the next manifest. */
  #unlisted: readonly Segment[] = [];
  /** No manifest could be taken up: all that will be listed first was rebuilt. */
  #isAnew = false;
  /** Listed files that are to be rebuilt, and what is wrong with each. */
  readonly #faulty = new Map<string, string>();
  /** Files that were rebuilt under another name; removed once the manifest no longer lists them. */
  #outdated: string[] = [];
  /** Something could not be written: the folder and the sizes of what is listed are looked at with the next seal. */
  #isDoubtful = false;
  #counts = { rebuilt: 0, merges: 0 };

  constructor(layout: StoreLayout, truth: Truth, deps: SegmentFolderDeps, tuning: PublicationTuning) {
    this.#layout = layout;
    this.#truth = truth;
    this.#deps = deps;
    this.#tuning = tuning;
    this.#folder = new SegmentFolder(layout, deps, tuning.deletionGraceMs);
    this.#manifest = new ManifestFile(layout.manifest, deps);
    this.#watch = new SegmentWatch(this.#folder);
  }

  /** `manifests`: how often the manifest was found lost and written again. */
  get counters(): {
    readonly segments: number;
    readonly rebuilt: number;
    readonly merges: number;
    readonly manifests: number;
  } {
    return { ...this.#counts, manifests: this.#manifest.rewritten, segments: this.#segments.length };
  }

  /**
   * Takes up what an earlier life published: checks it, rebuilds what is damaged or missing from the truth (of much, the newest;
   * `heal` does the rest). Gives the manifest where it can be gone by (for the heads in it), null where everything is to be
   * published anew. A folder that cannot be used now is told and left to `heal`.
   */
  async takeUp(): Promise<Manifest | null> {
    const { log } = this.#deps;
    let manifest: Manifest | null = null;
    try {
      this.#folder.make();
      manifest = usableManifest(this.#layout.manifest, this.#truth, this.#deps);
      this.#segments = manifest?.segments ?? [];
      const faults = new Map<string, string>();
      for (const segment of this.#segments) {
        const fault = segment.settled ? this.#folder.lookAt(segment).fault : this.#folder.faultOf(segment);
        if (fault !== null) faults.set(segment.file, fault);
      }
      this.#settle(new Set(this.#segments.map((segment) => segment.file).filter((file) => !faults.has(file))));
      this.#note(faults);
      await this.#rebuild();
      this.#folder.sweep(new Set(this.#segments.map((segment) => segment.file)));
    } catch (error) {
      if (!isPassing(error)) throw error;
      this.#isDoubtful = true;
      log.warn(`Cannot take up now what is published: ${error.message}`);
    }
    this.#isAnew = manifest === null;
    return manifest;
  }

  /**
   * Writes every row that no segment holds yet (of very much, a part) and lists it; then rebuilds what it finds missing, or of another
   * size after a failure. Nothing is listed before all of it is written: a manifest tells where the store ends. False where the next
   * call has to go on. Rejects with FabricError "io": what could not be published stays for the next call.
   */
  async seal(facts: ManifestFacts): Promise<boolean> {
    this.#lookForLoss();
    if (!(await this.#writeFresh())) return false;
    this.#list([...this.#segments, ...this.#unlisted], this.#tellable(facts), false);
    if (await this.#rebuild()) this.#list(this.#segments, this.#tellable(facts), false);
    return true;
  }

  /**
   * Looks whether what is published is still what was published (the manifest's text, and as SegmentWatch says), and publishes
   * again what is not, and what a failed seal left over. Without a fault: one read of the manifest, one look into the folder, a stat
   * for each segment, and on average 2 MB hashed. Rejects as `seal`.
   */
  async heal(facts: ManifestFacts): Promise<void> {
    const { faults, proven } = this.#watch.look(this.#segments, this.#faulty);
    this.#settle(proven);
    this.#note(faults);
    this.#manifest.look();
    const isBehind =
      this.#unlisted.length > 0 || SEGMENT_KINDS.some((kind) => this.#through(kind) < newestOf(kind, this.#truth));
    if (this.#manifest.isLost || this.#faulty.size > 0 || this.#isDoubtful || isBehind) await this.seal(facts);
  }

  /**
   * Writes one merged file beside the writer's work, and gives the step that lists it in place of its parts, to be run in the
   * writer's queue; null where nothing is due.
   */
  async merge(): Promise<(() => void) | null> {
    const parts = this.#manifest.told && this.#plan();
    const [first, last] = [parts?.[0], parts?.at(-1)];
    if (!parts || !first || !last) return null;
    const merged = await this.#write(first.kind, first.firstSeq, last.lastSeq, "side");
    return () => {
      // A part may have been rebuilt meanwhile: a later merge takes up the new one.
      const listed = new Set(this.#segments.map((segment) => segment.file));
      if (!parts.every((part) => listed.has(part.file))) return this.#folder.removeLater([merged.file]);
      const { told } = this.#manifest;
      assert(told, "segments to be merged were listed");
      // Rows committed since the last seal are in no segment: the heads and closedThrough of now would have readers skip them.
      try {
        this.#list(replaced(this.#segments, parts, merged), told, false);
      } catch (error) {
        this.#folder.removeLater([merged.file]);
        throw error;
      }
      this.#counts.merges++;
      this.#folder.removeLater(parts.map((part) => part.file));
    };
  }

  /** Marks the clean stop: what is listed was wholly written by a writer that ended in order. */
  stop(facts: ManifestFacts): void {
    this.#settle(new Set(this.#segments.map((segment) => segment.file).filter((file) => !this.#faulty.has(file))));
    this.#list(this.#segments, this.#tellable(facts), true);
    this.#folder.cancelRemovals();
  }

  /** Leaves pending deletions to the next start, without marking a clean stop. Idempotent. */
  abandon(): void {
    this.#folder.cancelRemovals();
  }

  // ── what is wrong ──

  /** Cheap enough for every seal: somebody may have emptied the folder without making any write fail. */
  #lookForLoss(): void {
    const wasDoubtful = this.#isDoubtful;
    this.#isDoubtful = true;
    const names = this.#folder.names();
    if (names === null) this.#folder.make();
    const faults = new Map<string, string>();
    for (const segment of this.#segments) {
      const fault = wasDoubtful ? this.#folder.lookAt(segment).fault : names?.has(segment.file) ? null : "missing";
      if (fault !== null) faults.set(segment.file, fault);
    }
    this.#dropUnlisted(wasDoubtful, names);
    this.#isDoubtful = false;
    this.#note(faults);
  }

  /** What was written and never listed is written again where any of it is gone. */
  #dropUnlisted(wasDoubtful: boolean, names: ReadonlySet<string> | null): void {
    const isWhole = this.#unlisted.every((segment) =>
      wasDoubtful ? this.#folder.lookAt(segment).fault === null : names?.has(segment.file),
    );
    if (isWhole) return;
    for (const segment of this.#unlisted) this.#folder.remove(segment.file);
    this.#unlisted = [];
  }

  #note(faults: ReadonlyMap<string, string>): void {
    const news = [...faults].filter(([file]) => !this.#faulty.has(file));
    for (const [file, fault] of news) this.#faulty.set(file, fault);
    const [first] = news;
    if (!first) return;
    const count = `${this.#faulty.size} of ${this.#segments.length}`;
    this.#deps.log.warn(
      `Rebuilding published segments from the market store: ${count}, the first: ${first[0]} is ${first[1]}`,
    );
  }

  /** True where it rebuilt something, which is listed by who called. What it got done before a failure is kept. */
  async #rebuild(): Promise<boolean> {
    let rows = 0;
    for (const segment of this.#segments.toReversed()) {
      if (rows >= this.#tuning.rowsPerCall) break;
      if (!this.#faulty.has(segment.file)) continue;
      const fresh = await this.#write(segment.kind, segment.firstSeq, segment.lastSeq, "main");
      this.#segments = replaced(this.#segments, [segment], fresh);
      this.#faulty.delete(segment.file);
      this.#outdated.push(segment.file);
      this.#counts.rebuilt++;
      rows += segment.rows;
    }
    if (rows > 0 && this.#faulty.size === 0) this.#deps.log.info("Every published segment is whole again");
    return rows > 0;
  }

  #settle(files: ReadonlySet<string>): void {
    if (files.size === 0) return;
    this.#segments = this.#segments.map((segment) =>
      !segment.settled && files.has(segment.file) ? { ...segment, settled: true } : segment,
    );
  }

  // ── what is written ──

  /** True where nothing is left to write. What was written before a failure is kept for the next call. */
  async #writeFresh(): Promise<boolean> {
    let rows = 0;
    for (const kind of SEGMENT_KINDS) {
      const newest = newestOf(kind, this.#truth);
      for (let first = this.#through(kind) + 1; first <= newest; first += this.#tuning.maxSegmentRows) {
        if (rows >= this.#tuning.rowsPerCall) return false;
        const last = Math.min(first + this.#tuning.maxSegmentRows - 1, newest);
        this.#unlisted = [...this.#unlisted, await this.#write(kind, first, last, "main")];
        rows += last - first + 1;
      }
    }
    return true;
  }

  async #write(kind: SegmentKind, first: number, last: number, lane: Lane): Promise<Segment> {
    try {
      return await this.#folder.put({ kind, first, last }, (range) => this.#truth.writeSegment(range, lane));
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
  }

  #list(segments: readonly Segment[], told: Told, cleanStop: boolean): void {
    try {
      this.#manifest.write(this.#truth.storeId, segments, told, cleanStop);
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
    this.#segments = segments;
    this.#unlisted = [];
    if (this.#isAnew) this.#counts.rebuilt += segments.length;
    this.#isAnew = false;
    const listed = new Set(segments.map((segment) => segment.file));
    for (const file of this.#faulty.keys()) if (!listed.has(file)) this.#faulty.delete(file);
    this.#folder.removeLater(this.#outdated);
    this.#outdated = [];
  }

  /** True of the truth as it is now: for a listing that holds every committed row. */
  #tellable({ venue, heads }: ManifestFacts): Told {
    const { environment, closedThrough } = this.#truth.state;
    return { venue, environment, closedThrough, heads: headRows(heads) };
  }

  #plan(): readonly Segment[] | null {
    for (const kind of SEGMENT_KINDS) {
      const ofKind = this.#segments.filter((segment) => segment.kind === kind);
      const plan = planMerge(ofKind, this.#tuning.maxSegmentRows, this.#tuning.mergeWidth);
      if (plan) return plan;
    }
    return null;
  }

  #through(kind: SegmentKind): number {
    const isOf = (segment: Segment) => segment.kind === kind;
    return (this.#unlisted.findLast(isOf) ?? this.#segments.findLast(isOf))?.lastSeq ?? 0;
  }
}

/** `parts` are adjacent and in order; `by` takes the place of the first. */
function replaced(segments: readonly Segment[], parts: readonly Segment[], by: Segment): readonly Segment[] {
  const at = segments.findIndex((segment) => segment.file === parts[0]?.file);
  const gone = new Set(parts.map((part) => part.file));
  assert(at >= 0, "a segment to be replaced is listed");
  const rest = segments.filter((segment) => !gone.has(segment.file));
  return [...rest.slice(0, at), by, ...rest.slice(at)];
}
