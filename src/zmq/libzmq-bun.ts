import { CString, dlopen, type Pointer, ptr } from "bun:ffi";
import { FabricError } from "../core/errors.ts";
import { type CFunctions, type CSignature, type CType, type Libzmq, type NativeBuffer, SYMBOLS } from "./symbols.ts";

/** Loads the library through bun:ffi. Throws FabricError "unavailable" where the file cannot be loaded. */
export function loadLibzmq(path: string): Libzmq {
  let library: ReturnType<typeof dlopen>;
  try {
    library = dlopen(path, declarations());
  } catch (cause) {
    throw new FabricError("unavailable", `Cannot load libzmq from ${path}: the file exports no C API here`, { cause });
  }
  return {
    c: library.symbols as unknown as CFunctions,
    allocate,
    textAt: (address) => new CString(address as Pointer).toString(),
  };
}

const ARGUMENT: Readonly<Record<CType, string>> = {
  address: "ptr",
  int: "i32",
  size: "u64",
  long: "i64",
  void: "void",
};
/** An address comes back as a number, 0 for null ("ptr" would give null). */
const RESULT: Readonly<Record<CType, string>> = { ...ARGUMENT, address: "u64_fast" };

function declarations(): Parameters<typeof dlopen>[1] {
  const entries = Object.entries<CSignature>(SYMBOLS).map(([name, { args, result }]) => [
    name,
    { args: args.map((type) => ARGUMENT[type]), returns: RESULT[result] },
  ]);
  return Object.fromEntries(entries) as Parameters<typeof dlopen>[1];
}

/**
 * Bun keeps typed arrays of up to 1,000 bytes in its own heap and moves them; one made on an ArrayBuffer of its own stays
 * where it is, and its address is good for as long as somebody holds the array.
 */
function allocate(sizeBytes: number): NativeBuffer {
  const bytes = new Uint8Array(new ArrayBuffer(sizeBytes));
  return { bytes, view: new DataView(bytes.buffer), address: Number(ptr(bytes)) };
}
