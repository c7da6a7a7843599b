import { createHash, timingSafeEqual } from "node:crypto";

/** The SHA-256 of a secret: what is kept of it where only equality is asked for. */
export function digestOf(secret: string): Uint8Array {
  return createHash("sha256").update(secret).digest();
}

/** Whether both are of the same secret, in time that does not depend on where they differ. */
export function isSameDigest(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** A digest as a key of a map: a look-up by it tells nothing of the secret. */
export function hexDigestOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
