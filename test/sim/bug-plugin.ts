import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { BUGS, type Edit } from "./bugs.ts";

/** The edits that put a planted bug into the product. Throws where there is none of that name. */
export function bugEdits(name: string): readonly Edit[] {
  const bug = BUGS.find((one) => one.name === name);
  if (!bug) throw new Error(`No bug "${name}": expected one of ${BUGS.map((one) => one.name).join(", ")}`);
  return bug.edits;
}

/** Changes the product's sources as they are loaded from now on, once a process: no hook for it is in the product. */
export function plant(edits: readonly Edit[]): void {
  if (edits.length === 0) return;
  const changed = new Map<string, string>();
  for (const { file, find, replace } of edits) {
    const path = resolve(file);
    const text = changed.get(path) ?? readFileSync(path, "utf8");
    const count = text.split(find).length - 1;
    if (count !== 1) throw new Error(`A planted text occurs ${count} times in ${file}, expected once:\n${find}`);
    changed.set(
      path,
      text.replace(find, () => replace),
    );
  }
  Bun.plugin({
    name: "planted",
    setup(build) {
      build.onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => ({
        contents: changed.get(path) ?? readFileSync(path, "utf8"),
        loader: "ts",
      }));
    },
  });
}
