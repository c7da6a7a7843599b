import { createGunzip } from "node:zlib";

const PIECE_BYTES = 256 * 1024;
/** A longer line is cut here; the pieces then count as bad lines. */
export const MAX_LINE_CHARS = 8 * 1024 * 1024;

export interface LineFaults {
  /** Set where the compressed input ends early or is damaged: what was readable was given. */
  damage: string | null;
}

/**
 * The lines of a file's bytes, unpacked where they are gzip (several members in a row are fine), in blocks as they come: a
 * block holds the lines of about 256 KiB. Memory is bounded by a block, whatever the file unpacks to.
 */
export async function* readLines(bytes: Uint8Array, faults: LineFaults): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of isGzip(bytes) ? unpack(bytes, faults) : pieces(bytes)) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_CHARS) {
      lines.push(rest);
      rest = "";
    }
    if (lines.length > 0) yield lines;
  }
  rest += decoder.decode();
  if (rest !== "") yield [rest];
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

async function* unpack(bytes: Uint8Array, faults: LineFaults): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: PIECE_BYTES });
  gunzip.end(bytes);
  try {
    for await (const piece of gunzip) yield piece as Uint8Array;
  } catch (error) {
    faults.damage = error instanceof Error ? error.message : String(error);
  }
}
