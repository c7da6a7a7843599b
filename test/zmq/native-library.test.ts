import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { FabricError } from "../../src/core/errors.ts";
import { loadLibzmq } from "../../src/zmq/libzmq-bun.ts";
import { currentPlatform, nativeLibraryFile, nativeLibraryPath } from "../../src/zmq/native-library.ts";

function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("the native library", () => {
  test("is there for every platform that fabric names, in the installed package", () => {
    for (const arch of ["x64", "arm64"]) {
      for (const libc of ["glibc", "musl"] as const) {
        expect(existsSync(nativeLibraryPath({ os: "linux", arch, libc }))).toBe(true);
      }
      expect(existsSync(nativeLibraryPath({ os: "darwin", arch, libc: null }))).toBe(true);
    }
    expect(nativeLibraryPath(currentPlatform())).toContain("addon.node");
  });

  test("is refused as unavailable on Windows, whose file exports no C API, and the message names what is supported", () => {
    const error = errorOf(() => nativeLibraryFile({ os: "win32", arch: "x64", libc: null }));
    expect(error).toBeInstanceOf(FabricError);
    expect(error).toMatchObject({ code: "unavailable" });
    expect(String(error)).toContain("win32-x64");
    expect(String(error)).toContain("linux-x64-glibc");
  });

  test("is refused as unavailable where the file has no C API", () => {
    expect(errorOf(() => loadLibzmq("/dev/null"))).toMatchObject({ code: "unavailable" });
  });

  test("that was set explicitly is used by a publisher and by the receiving Worker", async () => {
    const script = `
      import { copyFileSync, readFileSync } from "node:fs";
      import { nativeLibraryPath, setNativeLibraryPath } from "${import.meta.dir}/../../src/zmq/native-library.ts";
      import { zmqBackend } from "${import.meta.dir}/../../src/zmq/backend-bun.ts";
      const copy = process.argv[1];
      copyFileSync(nativeLibraryPath(), copy);
      setNativeLibraryPath(copy);
      const sub = await zmqBackend.openSubscriber({ endpoints: [], subscriptions: [], receiveHighWaterMark: 1,
        conflate: "off", keyByNode: [], bufferMessages: 1, bufferBytes: 1 }, { onFrames() {}, onStatus() {} });
      const maps = readFileSync("/proc/self/maps", "utf8").split("\\n").filter((line) => line.includes("addon"));
      await sub.close();
      console.log(maps.length > 0 && maps.every((line) => line.endsWith(copy)));`;
    const { tempFolder } = await import("../support/temp-folder.ts");
    using folder = tempFolder();
    const child = Bun.spawn([process.execPath, "-e", script, folder.join("addon-copy.node")], { stderr: "inherit" });
    expect((await new Response(child.stdout).text()).trim()).toBe("true");
    expect(await child.exited).toBe(0);
  });
});
