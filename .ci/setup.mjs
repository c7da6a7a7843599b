// Brings a fresh clone to where the scripts can run: node_modules as the lockfile says, and the dashboard's bundle. Node ≥ 20 only.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const top = join(dirname(fileURLToPath(import.meta.url)), "..");
const installed = join(top, "node_modules/.package-lock.json");
const bun = join(top, "node_modules/.bin/bun");

if (!isInstalled()) {
  console.error("Installing what package-lock.json lists …");
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: top, stdio: ["ignore", 2, 2] });
}
execFileSync(bun, ["build.ts", "--dashboard"], { cwd: top, stdio: ["ignore", 2, 2] });

/** Whether node_modules holds every package of the lockfile that is not optional, at its version. */
function isInstalled() {
  if (!existsSync(installed) || !existsSync(bun)) return false;
  const wanted = JSON.parse(readFileSync(join(top, "package-lock.json"), "utf8")).packages;
  const there = JSON.parse(readFileSync(installed, "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => path === "" || entry.optional || there[path]?.version === entry.version);
}
