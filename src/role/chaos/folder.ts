import { cpSync, lstatSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import { liveNodes } from "../lifecycle/advertisement.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { MARK, whyNotEarlier, writeMark } from "./earlier.ts";

/** Where the play happens, and where what must not be hurt with it is kept. */
export interface Grounds {
  readonly data: string;
  /** Ours alone: the strategies' files. Removed at the end. */
  readonly work: string;
  /** The data folder is removed at the end, too. */
  readonly temporary: boolean;
  /** The name of this run's own device, where it mounts one. */
  readonly device: string;
  /** Where the nodes' sockets are, if the data folder's path is too long for them: this data folder's alone. Else null. */
  readonly sockets: string | null;
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
    writeMark(data, { chaos: true, seed, storeId: null });
    const sockets = dirname(dataFolder(data).ipcEndpoint("any").slice("ipc://".length));
    return {
      data,
      work,
      temporary: given === undefined,
      device: basename(work),
      sockets: sockets === dataFolder(data).run ? null : sockets,
    };
  } catch (error) {
    removeTree(work);
    throw error;
  }
}

/** Copies folders and plain files; a socket, a pipe or a link says nothing of a run. Nothing is left of a copy that fails. */
export function copyTree(from: string, to: string): void {
  removeTree(to);
  try {
    cpSync(from, to, {
      recursive: true,
      preserveTimestamps: true,
      filter: (path) => {
        const stat = lstatSync(path, { throwIfNoEntry: false });
        return path === from || stat?.isFile() === true || stat?.isDirectory() === true;
      },
    });
  } catch (error) {
    removeTree(to);
    throw error;
  }
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
    if (alive) {
      throw new FabricError(
        "refused",
        `Cannot hurt ${data}: ${alive.node} (process ${alive.pid}) runs in it; stop it, or choose another --data`,
      );
    }
    const why = names.length === 0 ? null : whyNotEarlier(data);
    if (why === null) return;
    throw new FabricError(
      "refused",
      `Cannot hurt ${data}: chaos empties a folder that holds nothing but what an earlier chaos left, and in this ${why}; choose another --data, or remove the folder yourself where nobody needs it`,
    );
  }
  throw new FabricError(
    "refused",
    `Cannot hurt ${data}: chaos needs a folder that is new, empty, or of an earlier chaos, and this holds other data; choose another --data, or leave it out for a temporary one`,
  );
}
