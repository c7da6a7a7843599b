/**
 * Builds what cannot be used as it stands: `bun build.ts --dashboard` the browser code into dist/dashboard, `bun build.ts`
 * that and the one binary, dist/fabric. `--target bun-linux-arm64` and the like need that platform's DuckDB package installed.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { constants, zstdCompressSync } from "node:zlib";
import type { BunPlugin } from "bun";
import manifest from "./package.json" with { type: "json" };

const top = import.meta.dir;
const dist = join(top, "dist");
const embed = join(dist, "embed");
const dashboard = join(dist, "dashboard");
const ZSTD_LEVEL = 19;

interface Target {
  readonly bun: string;
  /** As npm names it: linux-x64, darwin-arm64 … */
  readonly platform: string;
  readonly zmqFile: string;
}

const TARGETS: readonly Target[] = [
  { bun: "bun-linux-x64", platform: "linux-x64", zmqFile: "linux/x64/node/glibc-127-Release" },
  { bun: "bun-linux-arm64", platform: "linux-arm64", zmqFile: "linux/arm64/node/glibc-127-Release" },
  { bun: "bun-linux-x64-musl", platform: "linux-x64-musl", zmqFile: "linux/x64/node/musl-127-Release" },
  { bun: "bun-linux-arm64-musl", platform: "linux-arm64-musl", zmqFile: "linux/arm64/node/musl-127-Release" },
  { bun: "bun-darwin-x64", platform: "darwin-x64", zmqFile: "darwin/x64/node/libc-115-Release" },
  { bun: "bun-darwin-arm64", platform: "darwin-arm64", zmqFile: "darwin/arm64/node/libc-115-Release" },
];

/** Resolves embed: names to dist/embed, and DuckDB's loader (which requires every platform's file) to our own. */
const embedPlugin: BunPlugin = {
  name: "fabric-embed",
  setup(build) {
    build.onResolve({ filter: /^embed:/ }, ({ path }) => ({ path: join(embed, path.slice("embed:".length)) }));
    build.onResolve({ filter: /^@duckdb\/node-bindings$/ }, ({ path }) => ({
      path: basename(path),
      namespace: "fabric-duckdb",
    }));
    build.onLoad({ filter: /.*/, namespace: "fabric-duckdb" }, () => ({
      loader: "js",
      contents: `module.exports = require(${JSON.stringify(join(top, "src/role/embedded/duckdb-bindings.ts"))}).loadDuckDbBindings();`,
    }));
  },
};

const { values } = parseArgs({
  options: {
    dashboard: { type: "boolean", default: false },
    target: { type: "string", default: `bun-${process.platform}-${process.arch}` },
    outfile: { type: "string", default: join(dist, "fabric") },
  },
});
await buildDashboard();
if (!values.dashboard) await buildBinary(targetOf(values.target), values.outfile);

/** Bundles the browser code, unless what is there is newer than every source. */
async function buildDashboard(): Promise<void> {
  const source = join(top, "src/bridge/dashboard");
  const newest = Math.max(
    ...readdirSync(source, { recursive: true }).map((name) => statSync(join(source, String(name))).mtimeMs),
  );
  const app = join(dashboard, "app.js");
  if (existsSync(app) && statSync(app).mtimeMs > Math.max(newest, statSync(join(top, "package.json")).mtimeMs)) return;
  mkdirSync(dashboard, { recursive: true });
  const result = await Bun.build({
    entrypoints: [join(source, "main.tsx"), join(source, "style.css")],
    target: "browser",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const textOf = (ending: string) => result.outputs.find(({ path }) => path.endsWith(ending))?.text();
  const [script, style] = await Promise.all([textOf(".js"), textOf(".css")]);
  if (!result.success || !script || !style) throw new AggregateError(result.logs, "The dashboard does not build");
  writeFileSync(join(dashboard, "index.html"), readFileSync(join(source, "index.html")));
  writeFileSync(join(dashboard, "style.css"), style);
  writeFileSync(app, script);
}

async function buildBinary(target: Target, outfile: string): Promise<void> {
  collectNatives(target);
  const result = await Bun.build({
    entrypoints: [join(top, "cmd/fabric.ts"), join(top, "src/zmq/receive-worker.ts")],
    target: "bun",
    format: "esm",
    minify: { whitespace: true, syntax: true, identifiers: false },
    bytecode: true,
    sourcemap: "linked",
    naming: { entry: "[name].[ext]" },
    conditions: ["fabric-binary"],
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [embedPlugin],
    compile: {
      target: target.bun as Bun.Build.CompileTarget,
      outfile,
      autoloadBunfig: false,
      autoloadDotenv: false,
      autoloadPackageJson: false,
      autoloadTsconfig: false,
    },
  });
  if (!result.success) throw new AggregateError(result.logs, "The binary does not build");
  for (const stray of readdirSync(dist)) if (stray.endsWith(".map")) rmSync(join(dist, stray));
  console.error(
    `${outfile}: ${(statSync(outfile).size / 1e6).toFixed(1)} MB for ${target.bun}, version ${manifest.version}`,
  );
}

/** Lays the target's native files out under dist/embed, with their hashes; the big one compressed, once. */
function collectNatives(target: Target): void {
  mkdirSync(embed, { recursive: true });
  const bindings = join(top, "node_modules/@duckdb", `node-bindings-${target.platform}`);
  if (!existsSync(bindings)) {
    throw new Error(
      `@duckdb/node-bindings-${target.platform} is not installed: npm install --no-save --force @duckdb/node-bindings-${target.platform}@${manifest.dependencies["@duckdb/node-api"]}`,
    );
  }
  const library = readdirSync(bindings).find((name) => /^libduckdb\.(so|dylib)$/.test(name));
  if (!library) throw new Error(`${bindings} holds no libduckdb`);
  const zmq = readFileSync(join(top, "node_modules/zeromq/build", target.zmqFile, "addon.node"));
  const node = readFileSync(join(bindings, "duckdb.node"));
  const duckdb = readFileSync(join(bindings, library));
  const hashes = { zmq: sha256(zmq), duckdbNode: sha256(node), libduckdb: sha256(duckdb), libduckdbName: library };
  writeFileSync(join(embed, "libzmq.node.bin"), zmq);
  writeFileSync(join(embed, "duckdb.node.bin"), node);
  writeFileSync(join(embed, "libduckdb.zst"), compressed(duckdb, hashes.libduckdb));
  writeFileSync(join(embed, "hashes.json"), JSON.stringify(hashes));
  for (const name of readdirSync(dashboard))
    writeFileSync(join(embed, `${name}.bin`), readFileSync(join(dashboard, name)));
}

/** zstd at its slow level takes a minute; the result is kept by the input's hash. */
function compressed(bytes: Uint8Array, hash: string): Uint8Array {
  const cache = join(top, "node_modules/.cache/fabric", `${hash.slice(0, 32)}-${ZSTD_LEVEL}.zst`);
  if (existsSync(cache)) return readFileSync(cache);
  const packed = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
  mkdirSync(join(cache, ".."), { recursive: true });
  writeFileSync(cache, packed);
  return packed;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function targetOf(name: string): Target {
  const target = TARGETS.find((candidate) => candidate.bun === name);
  if (!target) throw new Error(`No target "${name}": expected one of ${TARGETS.map((each) => each.bun).join(", ")}`);
  return target;
}
