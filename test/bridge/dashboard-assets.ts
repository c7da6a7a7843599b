import { join } from "node:path";
import type { DashboardAssets } from "../../src/bridge/contract.ts";

const FOLDER = join(import.meta.dir, "../../src/bridge/dashboard");

/** Bundles the dashboard as the binary's build does. */
export async function buildDashboard(): Promise<DashboardAssets & { readonly gzipBytes: number }> {
  const entrypoints = ["main.tsx", "style.css"].map((name) => join(FOLDER, name));
  const define = { "process.env.NODE_ENV": '"production"' };
  const { outputs } = await Bun.build({ entrypoints, target: "browser", minify: true, define });
  const textOf = (ending: string) => outputs.find(({ path }) => path.endsWith(ending))?.text();
  const [script, css] = await Promise.all([textOf(".js"), textOf(".css")]);
  if (script === undefined || css === undefined) throw new Error("The dashboard's bundle came out empty");
  const html = await Bun.file(join(FOLDER, "index.html")).text();
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
