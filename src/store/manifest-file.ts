import type { Files, Log } from "../core/env.ts";
import { SCHEMA_VERSION } from "./contract.ts";
import { encodeManifest, type Manifest, type Segment } from "./manifest.ts";
import { manifestFault } from "./manifest-check.ts";

/** What a manifest tells beside its segments: true of the rows that these hold. */
export type Told = Pick<Manifest, "venue" | "environment" | "closedThrough" | "heads">;

/** The manifest on disk, as its writer sees it. */
export class ManifestFile {
  readonly #path: string;
  readonly #deps: { readonly files: Files; readonly log: Log };
  /** As it was written last; null before. */
  #text: string | null = null;
  #told: Told | null = null;
  #isLost = false;
  #rewritten = 0;

  constructor(path: string, deps: { readonly files: Files; readonly log: Log }) {
    this.#path = path;
    this.#deps = deps;
  }

  /** It was found missing or altered, and has not been written since. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** How often it was lost and written again. */
  get rewritten(): number {
    return this.#rewritten;
  }

  /** What it tells now; null before the first. */
  get told(): Told | null {
    return this.#told;
  }

  /** Compares the whole text. What it finds is said once. */
  look(): void {
    const fault = this.#text === null ? null : manifestFault(this.#path, this.#deps.files, this.#text);
    if (fault === null || this.#isLost) return;
    this.#isLost = true;
    this.#deps.log.warn(`Writing the manifest of the published segments again: it ${fault}`);
  }

  /** Takes effect with the rename inside `writeDurably`; where that fails ("io"), the older one stays in force. */
  write(storeId: string, segments: readonly Segment[], told: Told, cleanStop: boolean): void {
    const text = encodeManifest({
      format: SCHEMA_VERSION,
      storeId,
      throughSeq: segments.findLast((segment) => segment.kind === "candle")?.lastSeq ?? 0,
      cleanStop,
      ...told,
      segments,
    });
    this.#deps.files.writeDurably(this.#path, text);
    this.#text = text;
    this.#told = told;
    if (this.#isLost) this.#rewritten++;
    this.#isLost = false;
  }
}
