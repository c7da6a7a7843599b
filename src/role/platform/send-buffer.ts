import { dlopen, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";

// Linux, all architectures that Bun runs on (asm-generic/socket.h).
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_ACCEPTCONN = 30;
const ADDRESS_BYTES = 128;

/**
 * Bounds what the kernel keeps of unread bytes for each connection that the listening sockets on `port` take from now on: SO_SNDBUF,
 * which they inherit (socket(7): the kernel doubles it for its own needs). Left alone it grows to tcp_wmem's 4 MB a connection, and a
 * few hundred clients that never read bring all TCP of the machine under memory pressure. Bun has no option for it, so the socket is
 * looked for among the process's own. Returns whether it was set: only on Linux with glibc or musl.
 */
export function boundSendBuffer(port: number, bytes: number): boolean {
  if (process.platform !== "linux") return false;
  const libc = openLibc();
  if (!libc) return false;
  try {
    const option = new Int32Array(new ArrayBuffer(4));
    const length = new Uint32Array(new ArrayBuffer(4));
    const address = new Uint8Array(new ArrayBuffer(ADDRESS_BYTES));
    const isListeningOn = (fd: number): boolean => {
      length[0] = option.byteLength;
      if (libc.symbols.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, ptr(option), ptr(length)) !== 0) return false;
      if (option[0] !== 1) return false;
      length[0] = address.byteLength;
      if (libc.symbols.getsockname(fd, ptr(address), ptr(length)) !== 0) return false;
      // The port's place and byte order are the same for IPv4 and IPv6.
      return new DataView(address.buffer).getUint16(2) === port;
    };
    let done = false;
    for (const fd of readdirSync("/proc/self/fd").map(Number)) {
      if (!isListeningOn(fd)) continue;
      option[0] = bytes;
      done = libc.symbols.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, ptr(option), option.byteLength) === 0 || done;
    }
    return done;
  } catch {
    return false;
  } finally {
    libc.close();
  }
}

function openLibc() {
  for (const name of ["libc.so.6", "libc.so"]) {
    try {
      return dlopen(name, {
        getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
        setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
        getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
      });
    } catch {}
  }
  return null;
}
