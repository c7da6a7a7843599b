import { dlopen, ptr } from "bun:ffi";

const CLOCK_MONOTONIC = 1;

// Bun's process.hrtime starts at the process's own start, so the machine's clock is asked directly: its ns compare between processes.
const time = new BigInt64Array(new ArrayBuffer(16));
const timeAddress = ptr(time);
const libc = dlopen("libc.so.6", { clock_gettime: { args: ["i32", "ptr"], returns: "i32" } });

/** The machine's monotonic clock, ns. */
export function nowNs(): number {
  libc.symbols.clock_gettime(CLOCK_MONOTONIC, timeAddress);
  return Number(time[0]) * 1e9 + Number(time[1]);
}
