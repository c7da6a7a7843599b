import { FabricError } from "../core/errors.ts";
import { storeLayout } from "./layout.ts";
import type { Manifest, Segment } from "./manifest.ts";
import { ManifestReader } from "./manifest-reader.ts";
import type { StoreReaderDeps } from "./reader.ts";
import { SegmentProof } from "./segment-proof.ts";

/** A file vanishes under a reader when it was merged away; the newer manifest lists its successor. */
const MAX_ATTEMPTS = 5;
const RETRY_MS = 20;

/** Published segments as a reader may use them: by one manifest at a time, each file proven before and after. */
export class SegmentAccess {
  readonly #segmentsFolder: string;
  readonly #manifests: ManifestReader;
  readonly #proof: SegmentProof;
  readonly #deps: StoreReaderDeps;
  #closed = false;

  constructor(folder: string, deps: StoreReaderDeps) {
    const layout = storeLayout(folder);
    this.#segmentsFolder = layout.segments;
    this.#manifests = new ManifestReader(layout.manifest, deps.files, deps.clock);
    this.#proof = new SegmentProof(layout.segments, deps);
    this.#deps = deps;
  }

  /** The newest manifest; null while there is no store. */
  manifest(): Manifest | null {
    return this.#manifests.read();
  }

  /** Nothing is read any more. */
  close(): void {
    this.#closed = true;
  }

  /** Runs `read` on one manifest's state; on the newest one again where a listed file was gone. Null while there is no store. */
  async withManifest<T>(read: (manifest: Manifest) => Promise<T>): Promise<T | null> {
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw new FabricError("unavailable", "Cannot read the market store: this reader is closed");
      const manifest = this.#manifests.read();
      if (manifest === null) return null;
      try {
        return await read(manifest);
      } catch (error) {
        this.#manifests.forget();
        if (!(error instanceof FabricError && error.code === "missing-input")) throw error;
        if (attempt === MAX_ATTEMPTS) throw new FabricError("unavailable", error.message, { cause: error });
        await new Promise<void>((resolve) => this.#deps.timers.after(RETRY_MS, resolve));
      }
    }
  }

  /** What is handed on was read from files proven right before and after. */
  async read<T>(
    segments: readonly Segment[],
    read: (paths: readonly string[]) => Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    if (segments.length === 0) return [];
    const proveAgain = await this.#proof.prove(segments);
    const rows = await read(segments.map((segment) => `${this.#segmentsFolder}/${segment.file}`));
    await proveAgain();
    return rows;
  }
}
