import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { FabricError } from "../core/errors.ts";

/** The files of the zeromq package (under build/) that export libzmq's C API; those for Windows do not. */
const FILES: Readonly<Record<string, string>> = {
  "linux-x64-glibc": "linux/x64/node/glibc-127-Release/addon.node",
  "linux-arm64-glibc": "linux/arm64/node/glibc-127-Release/addon.node",
  "linux-x64-musl": "linux/x64/node/musl-127-Release/addon.node",
  "linux-arm64-musl": "linux/arm64/node/musl-127-Release/addon.node",
  "darwin-x64": "darwin/x64/node/libc-115-Release/addon.node",
  "darwin-arm64": "darwin/arm64/node/libc-115-Release/addon.node",
};

export interface NativePlatform {
  readonly os: string;
  readonly arch: string;
  readonly libc: "glibc" | "musl" | null;
}

/** The one piece of module state in this room: where the compiled binary unpacked the library. */
let override: string | null = null;

/** Loads libzmq from this file from now on (the compiled binary carries its own copy). Call it before a socket is opened. */
export function setNativeLibraryPath(path: string): void {
  override = path;
}

/**
 * The path of the shared library that carries libzmq: the one set, else that of the installed zeromq package. Throws
 * FabricError "unavailable" where this platform has none.
 */
export function nativeLibraryPath(platform: NativePlatform = currentPlatform()): string {
  if (override !== null) return override;
  const file = nativeLibraryFile(platform);
  let root: string;
  try {
    root = dirname(createRequire(import.meta.url).resolve("zeromq/package.json"));
  } catch (cause) {
    throw new FabricError("unavailable", "Cannot load libzmq: the zeromq package is not installed", { cause });
  }
  const path = join(root, "build", file);
  if (!existsSync(path)) throw new FabricError("unavailable", `Cannot load libzmq: expected the file ${path}`);
  return path;
}

/** The library's path inside the zeromq package's build folder. Throws FabricError "unavailable" where there is none. */
export function nativeLibraryFile(platform: NativePlatform): string {
  const key = [platform.os, platform.arch, platform.libc].filter((part) => part !== null).join("-");
  const file = FILES[key];
  if (file) return file;
  throw new FabricError(
    "unavailable",
    `Cannot load libzmq on ${key}: the zeromq package's file for it exports no C API; ` +
      `supported are ${Object.keys(FILES).join(", ")}`,
  );
}

export function currentPlatform(): NativePlatform {
  return { os: process.platform, arch: process.arch, libc: process.platform === "linux" ? linuxLibc() : null };
}

/** The loader named in every dynamic executable of the system tells its C library. */
function linuxLibc(): "glibc" | "musl" {
  const glibcLoaders = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
  const muslLoaders = ["/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"];
  return muslLoaders.some((path) => existsSync(path)) && !glibcLoaders.some((path) => existsSync(path))
    ? "musl"
    : "glibc";
}
