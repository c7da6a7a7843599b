import { MAX_FRAME_BYTES } from "./contract.ts";

/** What a received message is to us; all but "good" are counted and skipped. */
export type FrameKind = "good" | "empty" | "oversize" | "malformed";

const SPACE = 0x20;

/** `sizeBytes`: the frame's true size, its start in `bytes` from `offset`; `parts`: frames in its message. */
export function frameKind(bytes: Uint8Array, offset: number, sizeBytes: number, parts: number): FrameKind {
  if (parts > 1) return "malformed";
  if (sizeBytes === 0) return "empty";
  if (sizeBytes > MAX_FRAME_BYTES) return "oversize";
  const end = offset + sizeBytes;
  let at = offset;
  while (at < end && bytes[at] !== SPACE) at++;
  return at > offset && at < end ? "good" : "malformed";
}
