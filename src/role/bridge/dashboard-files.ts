import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { embedded } from "#embedded";
import type { Asset, DashboardAssets } from "../../bridge/contract.ts";

const FILES: Readonly<Record<string, { readonly file: string; readonly contentType: string }>> = {
  "/": { file: "index.html", contentType: "text/html; charset=utf-8" },
  "/assets/app.js": { file: "app.js", contentType: "text/javascript; charset=utf-8" },
  "/assets/style.css": { file: "style.css", contentType: "text/css; charset=utf-8" },
};

/** The dashboard's files: out of the compiled binary, or from dist/dashboard (made by `npm run setup`) in a source tree. */
export function dashboardFiles(): DashboardAssets {
  const assets = new Map<string, Asset>();
  for (const [path, { file, contentType }] of Object.entries(FILES)) {
    const from =
      embedded?.assets.get(path) ?? fileURLToPath(new URL(`../../../dist/dashboard/${file}`, import.meta.url).href);
    if (embedded || existsSync(from)) assets.set(path, { body: readFileSync(from), contentType });
  }
  if (!assets.has("/")) {
    const body =
      "<!doctype html><html><title>fabric</title><p>The dashboard is not built: run <code>npm run setup</code></p></html>";
    assets.set("/", { body, contentType: "text/html; charset=utf-8" });
  }
  return { get: (path) => assets.get(path) ?? null };
}
