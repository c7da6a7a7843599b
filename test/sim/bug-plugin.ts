import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { BUGS } from "./bugs.ts";

/** Puts the bug into the product's sources as they are loaded from now on: no hook for it is in the product. */
export function plantBug(name: string): void {
  const bug = BUGS.find((one) => one.name === name);
  if (!bug) throw new Error(`No bug "${name}": expected one of ${BUGS.map((one) => one.name).join(", ")}`);
  const changed = new Map<string, string>();
  for (const { file, find, replace } of bug.edits) {
    const path = resolve(file);
    const text = changed.get(path) ?? readFileSync(path, "utf8");
    const count = text.split(find).length - 1;
    if (count !== 1) throw new Error(`Bug ${name}: its text occurs ${count} times in ${file}, expected once:\n${find}`);
    changed.set(
      path,
      text.replace(find, () => replace),
    );
  }
  Bun.plugin({
    name: `bug ${name}`,
    setup(build) {
      build.onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => ({
        contents: changed.get(path) ?? readFileSync(path, "utf8"),
        loader: "ts",
      }));
    },
  });
}
