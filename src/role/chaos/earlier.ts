import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { platform } from "#platform";
import { messageOf } from "../../core/errors.ts";
import { journalPath } from "../../execution/journal.ts";
import { readSimState, SIM_STATE_FILE } from "../../feed/sim/sim-state.ts";
import { ACCOUNT_FILE } from "../../feed/sim/venue/account-book.ts";
import { storeLayout } from "../../store/layout.ts";
import { readManifest } from "../../store/manifest.ts";
import { CONSUMERS, RUNNERS } from "./cast.ts";
import { journalStore } from "./journals.ts";

/** Says that a folder was made by chaos, for which market, and, once that is known, which store is the market's. */
export const MARK = "chaos.json";

export interface Mark {
  readonly chaos: true;
  readonly seed: number;
  readonly storeId: string | null;
}

const TEMPORARY = "(\\.[0-9]+-[0-9]+\\.tmp)?";
const SQLITE = "\\.sqlite(-wal|-shm|-journal)?";
const RUNNER = `(${RUNNERS.join("|")})`;
const NODE = `(sim|market-data|bridge|${CONSUMERS.join("|")})`;
/** Every file that a run of chaos makes, by its path below the folder. */
const OWN_FILES = [
  `${MARK}${TEMPORARY}`,
  "chaos\\.log",
  "ballast",
  `${SIM_STATE_FILE}${TEMPORARY}`,
  `${ACCOUNT_FILE.replace(/\.sqlite$/, "")}${SQLITE}`,
  "market\\.duckdb(\\.wal(\\.checkpoint|\\.recovery)?)?",
  `halt/${RUNNER}\\.json${TEMPORARY}`,
  `journal/${RUNNER}${SQLITE}`,
  `published/manifest\\.json${TEMPORARY}`,
  "published/segments/(candle|revision|gap)-[0-9]+-[0-9]+-[0-9a-f]+\\.parquet(\\.tmp)?",
  `run/${NODE}\\.json${TEMPORARY}`,
  `run/${NODE}\\.ipc`,
  `run/${NODE}(~alive)?\\.lock(-wal|-shm|-journal)?`,
].map((pattern) => new RegExp(`^${pattern}$`));

/** The mark of a folder; null where there is none that can be read. */
export function readMark(data: string): Mark | null {
  try {
    const value = JSON.parse(platform.files.readText(join(data, MARK))) as Partial<Mark> | null;
    if (value?.chaos !== true || typeof value.seed !== "number") return null;
    return { chaos: true, seed: value.seed, storeId: typeof value.storeId === "string" ? value.storeId : null };
  } catch {
    return null;
  }
}

export function writeMark(data: string, mark: Mark): void {
  platform.files.makeFolder(data);
  platform.files.writeDurably(join(data, MARK), `${JSON.stringify(mark)}\n`);
}

/**
 * Why a marked folder may not be emptied, null where it may: a mark outlives what it was made for, and the folder may have become
 * somebody's own. All that is in it must be a run of chaos's own files, and its store and journals those that the mark names.
 */
export function whyNotEarlier(data: string): string | null {
  const mark = readMark(data);
  if (mark === null) return `${MARK} cannot be read as its mark`;
  try {
    return foreignFile(data) ?? foreignStore(data, mark);
  } catch (error) {
    return messageOf(error);
  }
}

function foreignFile(data: string): string | null {
  for (const entry of readdirSync(data, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = relative(data, join(entry.parentPath, entry.name));
    const isOwn = !entry.isSymbolicLink() && OWN_FILES.some((pattern) => pattern.test(path));
    if (!isOwn) return `${path} is no file of chaos's`;
  }
  return null;
}

function foreignStore(data: string, mark: Mark): string | null {
  const { files } = platform;
  const layout = storeLayout(data);
  const sim = readSimState(data, files);
  if (sim !== null && sim.seed !== mark.seed) return `its market has seed ${sim.seed}, the mark says ${mark.seed}`;
  if (files.stat(layout.market) !== null || files.stat(layout.manifest) !== null) {
    // The store itself can be opened by market-data alone: its manifest tells whose it is.
    const manifest = readManifest(layout.manifest, files);
    if (manifest === null) return `its store has no manifest that tells whose it is`;
    if (mark.storeId === null || manifest.storeId !== mark.storeId)
      return `it holds store ${manifest.storeId} and the mark says ${mark.storeId ?? "none"}`;
    if (manifest.environment?.startsWith("sim:") !== true)
      return `its store is of ${manifest.environment}, not simulated`;
  }
  for (const runner of RUNNERS) {
    const storeId = files.stat(journalPath(data, runner)) === null ? null : journalStore(data, runner);
    if (storeId !== null && storeId !== mark.storeId)
      return `the journal of ${runner} belongs to store ${storeId} and the mark says ${mark.storeId ?? "none"}`;
  }
  return null;
}
