import { platform } from "#platform";
import { readHalts } from "../../execution/halt-switch.ts";
import { journalFolder } from "../../execution/journal.ts";
import { liveNodes } from "../lifecycle/advertisement.ts";
import type { DataFolder } from "../lifecycle/data-folder.ts";

const JOURNAL = ".sqlite";

/** Every runner that a data folder knows: alive, with a journal, or halted. Sorted. */
export function knownRunners(folder: DataFolder): readonly string[] {
  const live = liveNodes(folder.run, platform.files, platform.openSqlite).filter(({ role }) => role === "runner");
  const journals = platform.files.list(journalFolder(folder.path)).filter((name) => name.endsWith(JOURNAL));
  const halted = [...readHalts(platform.files, folder.path).keys()].filter((name) => name !== null);
  const names = [...live.map(({ node }) => node), ...journals.map((name) => name.slice(0, -JOURNAL.length)), ...halted];
  return [...new Set(names)].sort();
}
