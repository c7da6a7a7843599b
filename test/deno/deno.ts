import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const VERSION = "2.9.6";
const INSTALL_WITHIN_MS = 180_000;

const top = join(import.meta.dirname, "../..");
/** Outside the project's own dependencies: only the suite that needs Deno brings it. */
const cache = join(top, "node_modules/.cache/fabric-deno");
const run = promisify(execFile);

/**
 * The path of Deno's own executable (not the script before it, which passes no signals on), installed from npm where it is not
 * there yet. Null, and said loudly, where it cannot be had.
 */
export async function denoProgram(): Promise<string | null> {
  try {
    if (!(await isThere())) await install();
    if (await isThere()) return executable;
    throw new Error(`${executable} is not Deno ${VERSION}`);
  } catch (error) {
    const [why] = String(error).split("\n");
    console.error(`SKIPPED: no Deno ${VERSION}, so nothing here is tested on it: ${why}`);
    return null;
  }
}

const packageFolder = join(cache, "node_modules/deno");
const executable = join(packageFolder, process.platform === "win32" ? "deno.exe" : "deno");

async function isThere(): Promise<boolean> {
  if (!existsSync(executable)) return false;
  const { stdout } = await run(executable, ["--version"], { timeout: 20_000 });
  return stdout.startsWith(`deno ${VERSION} `);
}

async function install(): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const words = ["install", "--prefix", cache, "--no-save", "--no-audit", "--no-fund", `deno@${VERSION}`];
  await run("npm", words, { cwd: cache, timeout: INSTALL_WITHIN_MS, killSignal: "SIGKILL" });
  // Where npm runs no install scripts, the package's own command puts the executable in its place at its first run.
  await run(process.execPath, [join(packageFolder, "bin.cjs"), "--version"], { timeout: INSTALL_WITHIN_MS });
}

/** What a Deno process is started with: its caches in our folder, no look for updates, no colours. */
export const DENO_ENV: Readonly<Record<string, string>> = {
  DENO_DIR: join(cache, "dir"),
  DENO_NO_UPDATE_CHECK: "1",
  NO_COLOR: "1",
};
