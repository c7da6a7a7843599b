import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { readHalts } from "../../execution/halt-switch.ts";
import { journalFolder } from "../../execution/journal.ts";
import { liveNodes } from "../lifecycle/advertisement.ts";
import type { DataFolder } from "../lifecycle/data-folder.ts";

const JOURNAL = ".sqlite";

/** A name that is no runner's is a slip: an empty answer to it would say that all is well. Throws FabricError "missing-input". */
export function refuseUnknownRunner(folder: DataFolder, runner: string | undefined): void {
  if (runner === undefined) return;
  const known = knownRunners(folder);
  if (known.includes(runner)) return;
  const meant = nearest(runner, known);
  const remedy =
    meant !== null ? `did you mean "${meant}"?` : known.length > 0 ? `there is ${known.join(", ")}` : "there is none";
  throw new FabricError("missing-input", `There is no runner "${runner}" in ${folder.path}; ${remedy}`);
}

/** Every runner that a data folder knows: alive, with a journal, or halted. Sorted. */
export function knownRunners(folder: DataFolder): readonly string[] {
  const live = liveNodes(folder.run, platform.files, platform.openSqlite).filter(({ role }) => role === "runner");
  const journals = platform.files.list(journalFolder(folder.path)).filter((name) => name.endsWith(JOURNAL));
  const halted = [...readHalts(platform.files, folder.path).keys()].filter((name) => name !== null);
  const names = [...live.map(({ node }) => node), ...journals.map((name) => name.slice(0, -JOURNAL.length)), ...halted];
  return [...new Set(names)].sort();
}
