import { expect, test } from "bun:test";
import { join } from "node:path";
import { faultsOf, readRooms, readSource, sourceFiles } from "./checker.ts";

const top = join(import.meta.dir, "../..");
const rooms = readRooms(readSource(top, "src/README.md"));
const files = [...sourceFiles(top, "src"), ...sourceFiles(top, "cmd")];

test("the room table of src/README.md names every folder below src", () => {
  const folders = new Set(sourceFiles(top, "src").map((path) => path.split("/")[1]));
  for (const folder of folders) expect([...rooms.keys()]).toContain(folder ?? "");
});

test("every file keeps to the import edges, the banned globals and the size limit", () => {
  expect(files.length).toBeGreaterThan(20);
  expect(files.flatMap((path) => faultsOf(path, readSource(top, path), rooms))).toEqual([]);
});

test("the scanner has no import path to a broker, an order or a journal", () => {
  const seen = new Set<string>();
  const queue = sourceFiles(top, "src/scan").concat(files.filter((path) => /role\/scanner/.test(path)));
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const match of readSource(top, path).matchAll(/from\s*["'](\.[^"']+)["']/g))
      queue.push(join(path, "..", match[1] ?? ""));
  }
  expect([...seen].filter((path) => path.startsWith("src/execution/"))).toEqual([]);
  expect(seen.size).toBeGreaterThan(3);
});

const BAD_SNIPPETS: readonly (readonly [string, string, string, string])[] = [
  [
    "a sideways edge",
    "src/feed/x.ts",
    'import type { StoreWriter } from "../store/contract.ts";',
    "feed may import core, not store",
  ],
  [
    "a type-only sideways edge through a re-export",
    "src/scan/x.ts",
    'export type { Broker } from "../execution/broker.ts";',
    "not execution",
  ],
  ["a clock read", "src/provider/x.ts", "const now = Date.now();", "injected Clock"],
  ["a timer", "src/bus/x.ts", "setTimeout(() => {}, 5);", "injected Timers"],
  ["chance", "src/feed/x.ts", "const jitter = Math.random();", "injected Random"],
  ["the disk", "src/execution/x.ts", 'import { readFileSync } from "node:fs";', "injected Files"],
  ["a runtime's API", "src/store/x.ts", 'Bun.file("x");', "#platform"],
  ["the network", "src/feed/x.ts", 'await fetch("http://x");', "HttpGet"],
  [
    "a writer's grant outside market-data",
    "src/role/scanner.ts",
    'import { grantWriter } from "../store/grant.ts";',
    "WriterGrant",
  ],
  ["a missing ending", "src/core/x.ts", 'import { a } from "./a";', ".ts"],
  ["a package that is not the room's", "src/core/x.ts", 'import Big from "big.js";', "core may use"],
  ["an unknown room", "src/utils/x.ts", "export const a = 1;", "not a room"],
  ["a file too long", "src/core/x.ts", "\n".repeat(400), "at most 350"],
];

for (const [what, path, snippet, expected] of BAD_SNIPPETS) {
  test(`the checker finds ${what}`, () => {
    expect(faultsOf(path, snippet, rooms).join("\n")).toContain(expected);
  });
}

test("the checker lets comments and property names be", () => {
  const fine =
    "// Date.now is banned here\nconst x = { fetch: 1 }; /* setTimeout */ deps.timers.after(1, () => x.fetch);";
  expect(faultsOf("src/bus/x.ts", fine, rooms)).toEqual([]);
});
