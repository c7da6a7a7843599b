import { FabricError } from "../core/errors.ts";
import type { CurveKeyPair } from "./contract.ts";
import type { Libzmq } from "./symbols.ts";

const KEY_BYTES = 40;

/** A fresh CURVE key pair from libzmq's own generator. Throws FabricError "unavailable" where it was built without CURVE. */
export function makeCurveKeyPair(lib: Libzmq): CurveKeyPair {
  const publicKey = lib.allocate(KEY_BYTES + 1);
  const secretKey = lib.allocate(KEY_BYTES + 1);
  if (lib.c.zmq_curve_keypair(publicKey.address, secretKey.address) !== 0) {
    throw new FabricError("unavailable", "Cannot make CURVE keys: this libzmq was built without CURVE");
  }
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes.subarray(0, KEY_BYTES));
  return { publicKey: text(publicKey.bytes), secretKey: text(secretKey.bytes) };
}

/** libzmq's version as text. */
export function readVersion(lib: Libzmq): string {
  const numbers = lib.allocate(12);
  const { address, view } = numbers;
  lib.c.zmq_version(address, address + 4, address + 8);
  return [0, 4, 8].map((at) => view.getInt32(at, true)).join(".");
}
