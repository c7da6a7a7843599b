import { join } from "node:path";
import type { DashboardAssets } from "../../src/bridge/contract.ts";

const FOLDER = join(import.meta.dir, "../../src/bridge/dashboard");

/** Bundles the dashboard as the binary's build does. */
export async function buildDashboard(): Promise<DashboardAssets & { readonly gzipBytes: number }> {
  const bundle = await Bun.build({ entrypoints: [join(FOLDER, "main.tsx")], target: "browser", minify: true });
  const script = await bundle.outputs[0]?.text();
  if (script === undefined) throw new Error("The dashboard's bundle came out empty");
  const html = await Bun.file(join(FOLDER, "index.html")).text();
  const css = await Bun.file(join(FOLDER, "style.css")).text();
  const files = new Map([
    ["/", { body: html, contentType: "text/html; charset=utf-8" }],
    ["/assets/app.js", { body: script, contentType: "text/javascript; charset=utf-8" }],
    ["/assets/style.css", { body: css, contentType: "text/css; charset=utf-8" }],
  ]);
  return {
    get: (path) => files.get(path) ?? null,
    gzipBytes: [script, html, css].reduce((sum, text) => sum + Bun.gzipSync(Buffer.from(text)).byteLength, 0),
  };
}
