import type { Clock, Files } from "../core/env.ts";
import { FabricError } from "../core/errors.ts";
import { type Manifest, readManifest } from "./manifest.ts";

/**
 * A file system's time stamps step by up to 10 ms, so two manifests of one size written within a step look alike. One whose stamp
 * was first seen less than this ago is not trusted to be the newest, and is read again. (Our own wall clock may be wrong and says nothing.)
 */
const STAMP_STEP_MS = 100;

/** The newest manifest, read again only when it changed. One stat a call. */
export class ManifestReader {
  readonly #path: string;
  readonly #files: Files;
  readonly #clock: Clock;
  #cached: { readonly manifest: Manifest; readonly sizeBytes: number; readonly modifiedMs: number } | null = null;
  /** The newest stamp, and since when (monotonic) it was seen. */
  #stamp: { readonly sizeBytes: number; readonly modifiedMs: number; readonly sinceMs: number } | null = null;
  /** How far the store was known to be: what is published may be gone for a while, but it never goes back. */
  #seen: { readonly storeId: string; readonly throughSeq: number } | null = null;

  constructor(path: string, files: Files, clock: Clock) {
    this.#path = path;
    this.#files = files;
    this.#clock = clock;
  }

  /**
   * Null where there is no store yet. Throws FabricError "config" on another format; "unavailable" on what passes once
   * market-data has published anew: a damaged or unreadable manifest, one that is missing though it was there before, and an
   * older one of the same store.
   */
  read(): Manifest | null {
    const stat = this.#stat();
    if (stat === null) {
      this.#cached = null;
      if (this.#seen === null) return null;
      throw this.#unavailable("it is missing");
    }
    const cached = this.#cached;
    if (cached && cached.sizeBytes === stat.sizeBytes && cached.modifiedMs === stat.modifiedMs) return cached.manifest;
    this.#cached = null;
    // The file may be replaced between the stat and the read: then the older stat does not fit, and it is read again.
    const nowMs = this.#clock.monotonicMs();
    const stamp = this.#stamp;
    const sinceMs = stamp?.sizeBytes === stat.sizeBytes && stamp.modifiedMs === stat.modifiedMs ? stamp.sinceMs : nowMs;
    this.#stamp = { ...stat, sinceMs };
    const manifest = this.#readAnew();
    if (manifest && nowMs - sinceMs > STAMP_STEP_MS) this.#cached = { manifest, ...stat };
    return manifest;
  }

  /** Makes the next call read the file, whatever its stat says. */
  forget(): void {
    this.#cached = null;
  }

  #stat() {
    try {
      return this.#files.stat(this.#path);
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  #readAnew(): Manifest | null {
    let manifest: Manifest | null;
    try {
      manifest = readManifest(this.#path, this.#files);
    } catch (error) {
      if (error instanceof FabricError && error.code === "config") throw error;
      throw this.#unavailable(error);
    }
    const seen = this.#seen;
    if (manifest === null) {
      if (seen === null) return null;
      throw this.#unavailable("it is missing");
    }
    if (seen?.storeId === manifest.storeId && manifest.throughSeq < seen.throughSeq)
      throw this.#unavailable(`it ends at row ${manifest.throughSeq}, and row ${seen.throughSeq} was published`);
    this.#seen = { storeId: manifest.storeId, throughSeq: manifest.throughSeq };
    return manifest;
  }

  #unavailable(cause: unknown): FabricError {
    if (cause instanceof FabricError) return new FabricError("unavailable", cause.message, { cause });
    return new FabricError(
      "unavailable",
      `Cannot read ${this.#path} now: ${String(cause)}; its market-data node renews it`,
    );
  }
}
