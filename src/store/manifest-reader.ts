import type { Clock, Files } from "../core/env.ts";
import { type Manifest, readManifest } from "./manifest.ts";

/**
 * A file system's time stamps step by up to 10 ms, so two manifests of one size written within a step look alike. One that was
 * read less than this after it was written is not trusted to be the newest, and is read again.
 */
const STAMP_STEP_MS = 100;

/** The newest manifest, read again only when it changed. One stat a call. */
export class ManifestReader {
  readonly #path: string;
  readonly #files: Files;
  readonly #clock: Clock;
  #cached: { readonly manifest: Manifest; readonly sizeBytes: number; readonly modifiedMs: number } | null = null;

  constructor(path: string, files: Files, clock: Clock) {
    this.#path = path;
    this.#files = files;
    this.#clock = clock;
  }

  /** Null while there is none. Throws as `readManifest`. */
  read(): Manifest | null {
    const stat = this.#files.stat(this.#path);
    if (stat === null) return null;
    const cached = this.#cached;
    if (cached && cached.sizeBytes === stat.sizeBytes && cached.modifiedMs === stat.modifiedMs) return cached.manifest;
    // The file may be replaced between the stat and the read: then the older stat does not fit, and it is read again.
    const ageMs = this.#clock.nowMs() - stat.modifiedMs;
    const manifest = readManifest(this.#path, this.#files);
    this.#cached = manifest && ageMs > STAMP_STEP_MS ? { manifest, ...stat } : null;
    return manifest;
  }

  /** Makes the next call read the file, whatever its stat says. */
  forget(): void {
    this.#cached = null;
  }
}
