import { FabricError } from "../core/errors.ts";
import { type CFunctions, type CSignature, type CType, type Libzmq, type NativeBuffer, SYMBOLS } from "./symbols.ts";

/** The part of Deno's FFI that is used here (docs.deno.com/api/deno/ffi); the compiler runs with Bun's types. */
interface DenoFfi {
  dlopen(path: string, symbols: Readonly<Record<string, DenoSymbol>>): { readonly symbols: DenoSymbols };
  readonly UnsafePointer: {
    of(bytes: Uint8Array): object;
    value(pointer: object): bigint;
    create(value: bigint): object;
  };
  readonly UnsafePointerView: { getCString(pointer: object): string };
}

interface DenoSymbol {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly result: string;
  readonly nonblocking: boolean;
}

type DenoSymbols = Readonly<Record<string, (...args: readonly number[]) => unknown>>;

declare const Deno: DenoFfi;

/** zmq_poll in a thread of Deno's pool; the items must stay where they are until it resolves. */
export type PollLater = (items: number, count: number, timeoutMs: number) => Promise<number>;

export interface DenoLibzmq extends Libzmq {
  readonly pollLater: PollLater;
}

const TYPE: Readonly<Record<CType, string>> = {
  address: "usize",
  int: "i32",
  size: "usize",
  long: "i64",
  void: "void",
};
const POLL_LATER = "zmq_poll_later";

/** Loads the library through Deno.dlopen. Throws FabricError "unavailable" where the file cannot be loaded. */
export function loadLibzmq(path: string): DenoLibzmq {
  let symbols: DenoSymbols;
  try {
    symbols = Deno.dlopen(path, declarations()).symbols;
  } catch (cause) {
    throw new FabricError("unavailable", `Cannot load libzmq from ${path}: the file exports no C API here`, { cause });
  }
  return {
    c: withNumbers(symbols),
    pollLater: symbols[POLL_LATER] as PollLater,
    allocate,
    textAt: (address) => Deno.UnsafePointerView.getCString(Deno.UnsafePointer.create(BigInt(address))),
  };
}

function declarations(): Readonly<Record<string, DenoSymbol>> {
  const entries = Object.entries<CSignature>(SYMBOLS).map(([name, signature]) => [
    name,
    declare(name, signature, false),
  ]);
  return Object.fromEntries([...entries, [POLL_LATER, declare("zmq_poll", SYMBOLS.zmq_poll, true)]]);
}

function declare(name: string, { args, result }: CSignature, nonblocking: boolean): DenoSymbol {
  return { name, parameters: args.map((type) => TYPE[type]), result: TYPE[result], nonblocking };
}

/** Deno answers addresses as bigint; everywhere else here they are numbers. */
function withNumbers(symbols: DenoSymbols): CFunctions {
  const entries = Object.entries<CSignature>(SYMBOLS).map(([name, { result }]) => {
    const call = symbols[name];
    return [name, result === "address" ? (...args: readonly number[]) => Number(call?.(...args)) : call];
  });
  return Object.fromEntries(entries) as CFunctions;
}

/** An ArrayBuffer of its own, because V8 keeps small typed arrays in a heap that moves. */
function allocate(sizeBytes: number): NativeBuffer {
  const bytes = new Uint8Array(new ArrayBuffer(sizeBytes));
  const address = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
  return { bytes, view: new DataView(bytes.buffer), address };
}
