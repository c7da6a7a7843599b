import { createHash } from "node:crypto";
import type { Files } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { SCHEMA_VERSION, type StoreView, type SymbolHead } from "./contract.ts";
import type { SegmentKind } from "./schema.ts";

/** One immutable published file. Its rows are numbers `firstSeq` to `lastSeq` of its kind, all of them. */
export interface Segment {
  /** A name inside the segments folder, never used twice. */
  readonly file: string;
  readonly kind: SegmentKind;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly minOpenTime: number;
  readonly maxOpenTime: number;
  /** Written before the last clean stop, or hashed since: its size alone is checked at a start. */
  readonly settled: boolean;
}

/** What readers go by: one consistent state of the published store. Ranges of one kind never overlap and leave no hole. */
export interface Manifest {
  readonly format: number;
  readonly storeId: string;
  readonly venue: string;
  readonly environment: string | null;
  readonly throughSeq: number;
  readonly closedThrough: number | null;
  /** The writer ended in order; false while one lives or after it was killed. */
  readonly cleanStop: boolean;
  /** symbol, lastOpenTime, lastCommitSeq, lastClose, lastTradeId. */
  readonly heads: readonly HeadRow[];
  /** Per kind in order of their ranges. */
  readonly segments: readonly Segment[];
}

type HeadRow = readonly [string, number, number, number, number | null];

const PREFIX = '{"sha256":"';
const MIDDLE = '","manifest":';
const HASH_CHARS = 64;

/** The manifest's text: a JSON object that carries the hash of its own body, so that a torn or edited file tells. */
export function encodeManifest(manifest: Manifest): string {
  const body = JSON.stringify(manifest);
  return `${PREFIX}${sha256(body)}${MIDDLE}${body}}\n`;
}

/** Parses and checks; a string says what is wrong. A manifest of another format gives its number as `format`. */
export function decodeManifest(text: string): Manifest | string | { readonly otherFormat: unknown } {
  const start = PREFIX.length + HASH_CHARS + MIDDLE.length;
  const body = text.slice(start, text.lastIndexOf("}"));
  if (!text.startsWith(PREFIX) || sha256(body) !== text.slice(PREFIX.length, PREFIX.length + HASH_CHARS))
    return "its checksum does not fit its content";
  try {
    const manifest = JSON.parse(body) as Manifest;
    return manifest.format === SCHEMA_VERSION ? manifest : { otherFormat: manifest.format };
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Reads the manifest; null where there is none. Throws FabricError "config" on another format, "bad-data" on a damaged one
 * (a rename never leaves one behind; market-data writes it again), "io".
 */
export function readManifest(path: string, files: Files): Manifest | null {
  const text = readIfThere(path, files);
  if (text === null) return null;
  const decoded = decodeManifest(text);
  if (typeof decoded === "string") {
    throw new FabricError(
      "bad-data",
      `Cannot read ${path}: ${decoded}; a running market-data node writes it again, any other at its next start`,
    );
  }
  if ("otherFormat" in decoded) {
    throw new FabricError(
      "config",
      `Cannot read ${path}: it has format ${String(decoded.otherFormat)} and this fabric reads format ${SCHEMA_VERSION}; use the fabric that wrote it, or another data folder`,
    );
  }
  return decoded;
}

export function headRows(heads: ReadonlyMap<string, SymbolHead>): HeadRow[] {
  return [...heads].map(([symbol, head]) => [
    symbol,
    head.lastOpenTime,
    head.lastCommitSeq,
    head.lastClose,
    head.lastTradeId,
  ]);
}

export function headsOf(manifest: Manifest): Map<string, SymbolHead> {
  return new Map(
    manifest.heads.map(([symbol, lastOpenTime, lastCommitSeq, lastClose, lastTradeId]) => [
      symbol,
      { lastOpenTime, lastCommitSeq, lastClose, lastTradeId },
    ]),
  );
}

export function viewOf(manifest: Manifest): StoreView {
  return {
    storeId: manifest.storeId,
    venue: manifest.venue,
    environment: manifest.environment,
    throughSeq: manifest.throughSeq,
    closedThrough: manifest.closedThrough,
    heads: headsOf(manifest),
  };
}

function readIfThere(path: string, files: Files): string | null {
  try {
    return files.readText(path);
  } catch (error) {
    if (error instanceof FabricError && error.code === "missing-input") return null;
    throw error;
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
