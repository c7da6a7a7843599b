import type { Random } from "../core/env.ts";
import { assert } from "../core/errors.ts";
import { planMerge } from "./compaction.ts";
import { SCHEMA_VERSION, type SymbolHead } from "./contract.ts";
import type { StoreLayout } from "./layout.ts";
import { encodeManifest, headRows, type Manifest, type Segment } from "./manifest.ts";
import { manifestFault, newestOf, usableManifest } from "./manifest-check.ts";
import type { Lane, Truth } from "./ports.ts";
import { SEGMENT_KINDS, type SegmentKind } from "./schema.ts";
import { SegmentFolder, type SegmentFolderDeps } from "./segment-folder.ts";
import { SegmentWatch } from "./segment-watch.ts";

export interface PublicationDeps extends SegmentFolderDeps {
  readonly random: Random;
}

export interface PublicationTuning {
  /** How long a file that the manifest no longer lists stays for readers of the older manifest. */
  readonly deletionGraceMs: number;
  /** Most rows in one segment. */
  readonly maxSegmentRows: number;
  /** How many adjacent segments become one. */
  readonly mergeWidth: number;
  /** Damaged segments are rebuilt until this many rows are done, newest first; the rest is for the next call. */
  readonly rebuiltRowsPerCall: number;
}

/** What a manifest says beside its segments, all of it about the rows that they hold. */
type Told = Pick<Manifest, "venue" | "environment" | "closedThrough" | "heads">;

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
  readonly #deps: PublicationDeps;
  readonly #tuning: PublicationTuning;
  readonly #folder: SegmentFolder;
  readonly #watch: SegmentWatch;
  #segments: readonly Segment[] = [];
  /** What was told with the newest listing: it fits the rows listed then, whatever was committed since. */
  #told: Told | null = null;
  /** Listed files that are to be rebuilt, and what is wrong with each. */
  readonly #faulty = new Map<string, string>();
  /** Files that were rebuilt under another name; removed once the manifest no longer lists them. */
  #outdated: string[] = [];
  /** The manifest as it was written last; null before. */
  #written: string | null = null;
  #isManifestLost = false;
  /** Something could not be written: the folder and the sizes of what is listed are looked at with the next seal. */
  #isDoubtful = false;
  #counts = { rebuilt: 0, merges: 0, manifests: 0 };

  constructor(layout: StoreLayout, truth: Truth, deps: PublicationDeps, tuning: PublicationTuning) {
    this.#layout = layout;
    this.#truth = truth;
    this.#deps = deps;
    this.#tuning = tuning;
    this.#folder = new SegmentFolder(layout, deps, tuning.deletionGraceMs);
    this.#watch = new SegmentWatch(this.#folder);
  }

  /** `manifests`: how often the manifest was found lost and written again. */
  get counters(): {
    readonly segments: number;
    readonly rebuilt: number;
    readonly merges: number;
    readonly manifests: number;
  } {
    return { ...this.#counts, segments: this.#segments.length };
  }

  /**
   * Takes up what an earlier life published: checks it, rebuilds what is damaged or missing from the truth (of much, the newest;
   * `heal` does the rest). Gives the manifest where it can be gone by (for the heads in it), null where everything is to be
   * published anew.
   */
  async takeUp(): Promise<Manifest | null> {
    this.#folder.make();
    const manifest = usableManifest(this.#layout.manifest, this.#truth, this.#deps);
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
    return manifest;
  }

  /**
   * Publishes every row that no segment holds yet, then the manifest; then rebuilds what it finds missing, or of another size after
   * a failure. Rejects with FabricError "io": what it could not publish stays for the next call.
   */
  async seal(facts: ManifestFacts): Promise<void> {
    this.#lookForLoss();
    const fresh = await this.#writeFresh();
    this.#listOrDelete([...this.#segments, ...fresh], fresh, this.#tellable(facts));
    if (!(await this.#rebuild())) return;
    this.#listOrDelete(this.#segments, [], this.#tellable(facts));
  }

  /** Seals anew rows of a store whose manifest was lost: the same as `seal`, and counted as rebuilding. */
  async sealAll(facts: ManifestFacts): Promise<void> {
    await this.seal(facts);
    this.#counts.rebuilt += this.#segments.length;
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
    this.#lookForManifest();
    const isBehind = SEGMENT_KINDS.some((kind) => this.#through(kind) < newestOf(kind, this.#truth));
    if (this.#isManifestLost || this.#faulty.size > 0 || this.#isDoubtful || isBehind) await this.seal(facts);
  }

  /**
   * Writes one merged file beside the writer's work, and gives the step that lists it in place of its parts, to be run in the
   * writer's queue; null where nothing is due.
   */
  async merge(): Promise<(() => void) | null> {
    const parts = this.#plan();
    const [first, last] = [parts?.[0], parts?.at(-1)];
    if (!parts || !first || !last) return null;
    const merged = await this.#write(first.kind, first.firstSeq, last.lastSeq, "side");
    return () => {
      // A part may have been rebuilt meanwhile: a later merge takes up the new one.
      const listed = new Set(this.#segments.map((segment) => segment.file));
      if (!parts.every((part) => listed.has(part.file))) return this.#folder.removeLater([merged.file]);
      assert(this.#told, "segments to be merged were listed");
      // Rows committed since the last seal are in no segment: the heads and closedThrough of now would have readers skip them.
      this.#listOrDelete(replaced(this.#segments, parts, merged), [merged], this.#told);
      this.#counts.merges++;
      this.#folder.removeLater(parts.map((part) => part.file));
    };
  }

  /** Marks the clean stop: what is listed was wholly written by a writer that ended in order. */
  stop(facts: ManifestFacts): void {
    this.#folder.cancelRemovals();
    this.#settle(new Set(this.#segments.map((segment) => segment.file).filter((file) => !this.#faulty.has(file))));
    this.#list(this.#segments, this.#tellable(facts), true);
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
    this.#isDoubtful = false;
    this.#note(faults);
  }

  #lookForManifest(): void {
    const fault = this.#written === null ? null : manifestFault(this.#layout.manifest, this.#deps.files, this.#written);
    if (fault === null || this.#isManifestLost) return;
    this.#isManifestLost = true;
    this.#deps.log.warn(`Writing the manifest of the published segments again: it ${fault}`);
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
      if (rows >= this.#tuning.rebuiltRowsPerCall) break;
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

  async #writeFresh(): Promise<readonly Segment[]> {
    const fresh: Segment[] = [];
    try {
      for (const kind of SEGMENT_KINDS) {
        const newest = newestOf(kind, this.#truth);
        for (let first = this.#through(kind) + 1; first <= newest; first += this.#tuning.maxSegmentRows) {
          const last = Math.min(first + this.#tuning.maxSegmentRows - 1, newest);
          fresh.push(await this.#write(kind, first, last, "main"));
        }
      }
      return fresh;
    } catch (error) {
      // No manifest ever listed these, and on a full disk each attempt would leave more of them.
      for (const segment of fresh) this.#folder.remove(segment.file);
      throw error;
    }
  }

  async #write(kind: SegmentKind, first: number, last: number, lane: Lane): Promise<Segment> {
    const file = `${kind}-${padded(first)}-${padded(last)}-${this.#deps.random.uuid().slice(0, 8)}.parquet`;
    const [path, temporary] = [this.#folder.pathOf(file), this.#folder.pathOf(`${file}.tmp`)];
    try {
      const written = await this.#truth.writeSegment({ kind, first, last, path: temporary }, lane);
      this.#deps.files.sync(temporary);
      const sha256 = this.#deps.files.sha256(temporary);
      this.#deps.files.rename(temporary, path);
      return { file, kind, firstSeq: first, lastSeq: last, ...written, sha256, settled: false };
    } catch (error) {
      this.#isDoubtful = true;
      this.#folder.remove(`${file}.tmp`);
      throw error;
    }
  }

  #listOrDelete(segments: readonly Segment[], fresh: readonly Segment[], told: Told): void {
    try {
      this.#list(segments, told, false);
    } catch (error) {
      this.#isDoubtful = true;
      this.#folder.removeLater(fresh.map((segment) => segment.file));
      throw error;
    }
    this.#folder.removeLater(this.#outdated);
    this.#outdated = [];
  }

  /** The listing takes effect with the rename inside `writeDurably`; where that fails, the older one stays in force. */
  #list(segments: readonly Segment[], told: Told, cleanStop: boolean): void {
    const text = encodeManifest({
      format: SCHEMA_VERSION,
      storeId: this.#truth.storeId,
      throughSeq: segments.findLast((segment) => segment.kind === "candle")?.lastSeq ?? 0,
      cleanStop,
      ...told,
      segments,
    });
    this.#deps.files.writeDurably(this.#layout.manifest, text);
    this.#written = text;
    this.#told = told;
    this.#segments = segments;
    if (this.#isManifestLost) this.#counts.manifests++;
    this.#isManifestLost = false;
    const listed = new Set(segments.map((segment) => segment.file));
    for (const file of this.#faulty.keys()) if (!listed.has(file)) this.#faulty.delete(file);
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
    return this.#segments.findLast((segment) => segment.kind === kind)?.lastSeq ?? 0;
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

function padded(seq: number): string {
  return String(seq).padStart(12, "0");
}
