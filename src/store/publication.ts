import type { Files, Log, Random, Timer, Timers } from "../core/env.ts";
import { assert, FabricError, messageOf } from "../core/errors.ts";
import { planMerge } from "./compaction.ts";
import { SCHEMA_VERSION, type SymbolHead } from "./contract.ts";
import type { StoreLayout } from "./layout.ts";
import { encodeManifest, headRows, type Manifest, readManifest, type Segment } from "./manifest.ts";
import type { Lane, Truth } from "./ports.ts";
import { SEGMENT_KINDS, type SegmentKind } from "./schema.ts";

export interface PublicationDeps {
  readonly files: Files;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

export interface PublicationTuning {
  /** How long a file that the manifest no longer lists stays for readers of the older manifest. */
  readonly deletionGraceMs: number;
  /** Most rows in one segment. */
  readonly maxSegmentRows: number;
  /** How many adjacent segments become one. */
  readonly mergeWidth: number;
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
  readonly #deps: PublicationDeps;
  readonly #tuning: PublicationTuning;
  readonly #deletions = new Set<Timer>();
  #segments: readonly Segment[] = [];
  /** Something could not be written: the folder and the sizes of what is listed are looked at before the next seal. */
  #isDoubtful = false;
  #rebuilt = 0;
  #merges = 0;

  constructor(layout: StoreLayout, truth: Truth, deps: PublicationDeps, tuning: PublicationTuning) {
    this.#layout = layout;
    this.#truth = truth;
    this.#deps = deps;
    this.#tuning = tuning;
  }

  get counters(): { readonly segments: number; readonly rebuilt: number; readonly merges: number } {
    return { segments: this.#segments.length, rebuilt: this.#rebuilt, merges: this.#merges };
  }

  /**
   * Takes up what an earlier life published: checks it, rebuilds what is damaged, missing or unlisted from the truth. Gives the
   * manifest where it can be gone by (for the heads in it), null where everything is to be published anew.
   */
  async takeUp(): Promise<Manifest | null> {
    this.#deps.files.makeFolder(this.#layout.segments);
    const manifest = this.#usableManifest();
    const found = new Set(manifest?.segments);
    this.#segments = [...found];
    await this.#rebuildFaulty((segment) => this.#faultOf(segment));
    this.#segments = this.#segments.map((segment) => (found.has(segment) ? { ...segment, settled: true } : segment));
    this.#sweep();
    return manifest;
  }

  /**
   * Publishes every row that no segment holds yet, then the manifest. Where files are gone, or after a failure, it first makes
   * the folder again and rebuilds what is missing from it. Rejects with FabricError "io" and publishes nothing.
   */
  async seal(facts: ManifestFacts): Promise<void> {
    if (this.#isDoubtful || this.#isIncomplete()) await this.#repair();
    const fresh: Segment[] = [];
    for (const kind of SEGMENT_KINDS) {
      for (let first = this.#through(kind) + 1; first <= this.#newest(kind); first += this.#tuning.maxSegmentRows) {
        const last = Math.min(first + this.#tuning.maxSegmentRows - 1, this.#newest(kind));
        fresh.push(await this.#write(kind, first, last, "main"));
      }
    }
    this.#listOrDelete([...this.#segments, ...fresh], fresh, facts);
  }

  /** Seals anew rows of a store whose manifest was lost: the same as `seal`, and counted as rebuilding. */
  async sealAll(facts: ManifestFacts): Promise<void> {
    await this.seal(facts);
    this.#rebuilt += this.#segments.length;
  }

  /**
   * Writes one merged file beside the writer's work, and gives the step that lists it in place of its parts, to be run in the
   * writer's queue; null where nothing is due.
   */
  async merge(): Promise<((facts: ManifestFacts) => void) | null> {
    const parts = this.#plan();
    const [first, last] = [parts?.[0], parts?.at(-1)];
    if (!parts || !first || !last) return null;
    const merged = await this.#write(first.kind, first.firstSeq, last.lastSeq, "side");
    return (facts) => {
      // A seal after a failure may have rebuilt a part meanwhile: a later merge takes up the new one.
      if (!parts.every((part) => this.#segments.includes(part))) return this.#deleteLater([merged.file]);
      this.#listOrDelete(replaced(this.#segments, parts, [merged]), [merged], facts);
      this.#merges++;
      this.#deleteLater(parts.map((part) => part.file));
    };
  }

  /** Marks the clean stop: what is listed was wholly written by a writer that ended in order. */
  stop(facts: ManifestFacts): void {
    this.#cancelDeletions();
    this.#list(
      this.#segments.map((segment) => ({ ...segment, settled: true })),
      facts,
      true,
    );
  }

  /** Leaves pending deletions to the next start, without marking a clean stop. Idempotent. */
  abandon(): void {
    this.#cancelDeletions();
  }

  #usableManifest(): Manifest | null {
    try {
      const manifest = readManifest(this.#layout.manifest, this.#deps.files);
      if (manifest === null) return null;
      const fault = this.#manifestFault(manifest);
      if (fault === null) return manifest;
      this.#deps.log.warn(`Publishing the market store anew: its manifest ${fault}`);
    } catch (error) {
      if (!(error instanceof FabricError) || error.code === "io") throw error;
      this.#deps.log.warn(`Publishing the market store anew: ${error.message}`);
    }
    return null;
  }

  #manifestFault(manifest: Manifest): string | null {
    if (manifest.storeId !== this.#truth.storeId) return `belongs to store ${manifest.storeId}`;
    for (const kind of SEGMENT_KINDS) {
      let through = 0;
      for (const segment of manifest.segments) {
        if (segment.kind !== kind) continue;
        if (segment.firstSeq !== through + 1 || segment.lastSeq < segment.firstSeq) return "has ranges with holes";
        through = segment.lastSeq;
      }
      if (through > this.#newest(kind)) return `lists ${kind} rows the store does not have`;
    }
    return null;
  }

  #faultOf(segment: Segment): string | null {
    const fault = this.#sizeFaultOf(segment);
    if (fault !== null || segment.settled) return fault;
    return this.#deps.files.sha256(this.#pathOf(segment.file)) === segment.sha256 ? null : "damaged";
  }

  #sizeFaultOf(segment: Segment): string | null {
    const stat = this.#deps.files.stat(this.#pathOf(segment.file));
    if (stat === null) return "missing";
    return stat.sizeBytes === segment.bytes ? null : `${stat.sizeBytes} bytes instead of ${segment.bytes}`;
  }

  /** By sizes alone, which is cheap; hashes are for starts. What it rebuilds is listed by the seal that follows. */
  async #repair(): Promise<void> {
    this.#isDoubtful = true;
    this.#deps.files.makeFolder(this.#layout.segments);
    await this.#rebuildFaulty((segment) => this.#sizeFaultOf(segment));
    this.#isDoubtful = false;
  }

  /** One look into the folder, cheap enough for every seal: somebody may have emptied it without making any write fail. */
  #isIncomplete(): boolean {
    if (!this.#deps.files.stat(this.#layout.segments)?.isDirectory) return true;
    const there = new Set(this.#deps.files.list(this.#layout.segments));
    return this.#segments.some((segment) => !there.has(segment.file));
  }

  /** Told afterwards and once for all: an attempt that fails is told by its caller, and what it got done is kept. */
  async #rebuildFaulty(faultOf: (segment: Segment) => string | null): Promise<void> {
    const told: string[] = [];
    for (const segment of this.#segments) {
      const fault = faultOf(segment);
      if (fault === null) continue;
      const fresh = await this.#write(segment.kind, segment.firstSeq, segment.lastSeq, "main");
      this.#segments = replaced(this.#segments, [segment], [fresh]);
      this.#rebuilt++;
      told.push(`${segment.file} is ${fault}`);
    }
    if (told.length === 0) return;
    this.#deps.log.warn(`Rebuilt published segments from the market store: ${told.length}, the first: ${told[0]}`);
  }

  async #write(kind: SegmentKind, first: number, last: number, lane: Lane): Promise<Segment> {
    const file = `${kind}-${padded(first)}-${padded(last)}-${this.#deps.random.uuid().slice(0, 8)}.parquet`;
    const [path, temporary] = [this.#pathOf(file), this.#pathOf(`${file}.tmp`)];
    try {
      const written = await this.#truth.writeSegment({ kind, first, last, path: temporary }, lane);
      this.#deps.files.sync(temporary);
      const sha256 = this.#deps.files.sha256(temporary);
      this.#deps.files.rename(temporary, path);
      return { file, kind, firstSeq: first, lastSeq: last, ...written, sha256, settled: false };
    } catch (error) {
      this.#isDoubtful = true;
      this.#remove(`${file}.tmp`);
      throw error;
    }
  }

  #listOrDelete(segments: readonly Segment[], fresh: readonly Segment[], facts: ManifestFacts): void {
    try {
      this.#list(segments, facts, false);
    } catch (error) {
      this.#isDoubtful = true;
      this.#deleteLater(fresh.map((segment) => segment.file));
      throw error;
    }
  }

  /** The listing takes effect with the rename inside `writeDurably`; where that fails, the older one stays in force. */
  #list(segments: readonly Segment[], facts: ManifestFacts, cleanStop: boolean): void {
    const state = this.#truth.state;
    const manifest: Manifest = {
      format: SCHEMA_VERSION,
      storeId: this.#truth.storeId,
      venue: facts.venue,
      environment: state.environment,
      throughSeq: segments.findLast((segment) => segment.kind === "candle")?.lastSeq ?? 0,
      closedThrough: state.closedThrough,
      cleanStop,
      heads: headRows(facts.heads),
      segments,
    };
    this.#deps.files.writeDurably(this.#layout.manifest, encodeManifest(manifest));
    this.#segments = segments;
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

  #newest(kind: SegmentKind): number {
    const { commitSeq, revisionSeq, gapSeq } = this.#truth.state;
    return { candle: commitSeq, revision: revisionSeq, gap: gapSeq }[kind];
  }

  /** A kill leaves temporary files and files no longer listed: the first go at once, the others after the grace period. */
  #sweep(): void {
    const listed = new Set(this.#segments.map((segment) => segment.file));
    const unlisted = this.#deps.files.list(this.#layout.segments).filter((file) => !listed.has(file));
    for (const file of unlisted.filter((name) => name.endsWith(".tmp"))) this.#remove(file);
    for (const file of this.#deps.files.list(this.#layout.published)) {
      if (/^manifest\.json\..*\.tmp$/.test(file)) this.#deps.files.remove(`${this.#layout.published}/${file}`);
    }
    this.#deleteLater(unlisted.filter((name) => !name.endsWith(".tmp")));
  }

  #deleteLater(files: readonly string[]): void {
    if (files.length === 0) return;
    const timer = this.#deps.timers.after(this.#tuning.deletionGraceMs, () => {
      this.#deletions.delete(timer);
      for (const file of files) this.#remove(file);
    });
    this.#deletions.add(timer);
  }

  #cancelDeletions(): void {
    for (const timer of this.#deletions) timer.cancel();
    this.#deletions.clear();
  }

  #remove(file: string): void {
    try {
      this.#deps.files.remove(this.#pathOf(file));
    } catch (error) {
      // The next start sweeps what stays.
      this.#deps.log.warn(`Could not remove the unlisted segment ${file}: ${messageOf(error)}`);
    }
  }

  #pathOf(file: string): string {
    return `${this.#layout.segments}/${file}`;
  }
}

/** `parts` are adjacent and in order; `by` takes the place of the first. */
function replaced(segments: readonly Segment[], parts: readonly Segment[], by: readonly Segment[]): readonly Segment[] {
  const at = segments.findIndex((segment) => segment.file === parts[0]?.file);
  const gone = new Set(parts.map((part) => part.file));
  assert(at >= 0, "a segment to be replaced is listed");
  const rest = segments.filter((segment) => !gone.has(segment.file));
  return [...rest.slice(0, at), ...by, ...rest.slice(at)];
}

function padded(seq: number): string {
  return String(seq).padStart(12, "0");
}
