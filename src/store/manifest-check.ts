import type { Files, Log } from "../core/env.ts";
import { FabricError } from "../core/errors.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import type { Truth } from "./ports.ts";
import { SEGMENT_KINDS, type SegmentKind } from "./schema.ts";

/**
 * The manifest that an earlier life left, where it is whole and fits the truth; null where everything is to be published anew.
 * Throws FabricError "io".
 */
export function usableManifest(
  path: string,
  truth: Truth,
  deps: { readonly files: Files; readonly log: Log },
): Manifest | null {
  try {
    const manifest = readManifest(path, deps.files);
    if (manifest === null) return null;
    const fault = misfit(manifest, truth);
    if (fault === null) return manifest;
    deps.log.warn(`Publishing the market store anew: its manifest ${fault}`);
  } catch (error) {
    if (!(error instanceof FabricError) || error.code === "io") throw error;
    deps.log.warn(`Publishing the market store anew: ${error.message}`);
  }
  return null;
}

/** What is wrong with the manifest on disk, which should hold this text; null where nothing is. */
export function manifestFault(path: string, files: Files, expected: string): string | null {
  try {
    return files.readText(path) === expected ? null : "is not the one that was written";
  } catch (error) {
    if (error instanceof FabricError) return error.code === "missing-input" ? "is missing" : "cannot be read";
    throw error;
  }
}

/** The number of a kind's newest row in the truth. */
export function newestOf(kind: SegmentKind, { state }: Truth): number {
  return { candle: state.commitSeq, revision: state.revisionSeq, gap: state.gapSeq }[kind];
}

function misfit(manifest: Manifest, truth: Truth): string | null {
  if (manifest.storeId !== truth.storeId) return `belongs to store ${manifest.storeId}`;
  for (const kind of SEGMENT_KINDS) {
    let through = 0;
    for (const segment of manifest.segments) {
      if (segment.kind !== kind) continue;
      if (segment.firstSeq !== through + 1 || segment.lastSeq < segment.firstSeq) return "has ranges with holes";
      through = segment.lastSeq;
    }
    if (through > newestOf(kind, truth)) return `lists ${kind} rows the store does not have`;
  }
  return null;
}
