import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import { liveNodes } from "../lifecycle/advertisement.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";

/** Says that a folder was made by chaos and may be hurt and emptied by it. */
const MARK = "chaos.json";

/** Where the play happens, and where what must not be hurt with it is kept. */
export interface Grounds {
  readonly data: string;
  /** Ours alone: the strategies' files. Removed at the end. */
  readonly work: string;
  /** The data folder is removed at the end, too. */
  readonly temporary: boolean;
}

/**
 * Takes a fresh folder, an empty one, or one of an earlier chaos, which is emptied. Throws FabricError "refused" for any other: a
 * real data folder is never hurt.
 */
export function claimGrounds(given: string | undefined, seed: number): Grounds {
  const work = mkdtempSync(join(tmpdir(), "fabric-chaos-"));
  try {
    const data = given === undefined ? join(work, "data") : dataFolder(given).path;
    if (given !== undefined) refuseRealData(data);
    if (platform.files.stat(data)) for (const name of platform.files.list(data)) removeTree(join(data, name));
    markGrounds(data, seed);
    return { data, work, temporary: given === undefined };
  } catch (error) {
    removeTree(work);
    throw error;
  }
}

/** Writes the mark: also into the disk that is mounted over the folder. */
export function markGrounds(data: string, seed: number): void {
  platform.files.makeFolder(data);
  platform.files.writeDurably(join(data, MARK), `${JSON.stringify({ chaos: true, seed })}\n`);
}

export function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

function refuseRealData(data: string): void {
  const { files, openSqlite } = platform;
  const stat = files.stat(data);
  if (stat === null) return;
  const names = stat.isDirectory ? files.list(data) : [];
  if (stat.isDirectory && (names.length === 0 || names.includes(MARK))) {
    const [alive] = liveNodes(join(data, "run"), files, openSqlite);
    if (!alive) return;
    throw new FabricError(
      "refused",
      `Cannot hurt ${data}: ${alive.node} (process ${alive.pid}) runs in it; stop it, or choose another --data`,
    );
  }
  throw new FabricError(
    "refused",
    `Cannot hurt ${data}: chaos needs a folder that is new, empty, or of an earlier chaos, and this holds other data; choose another --data, or leave it out for a temporary one`,
  );
}
