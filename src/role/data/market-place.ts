import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import { declareRole } from "../../store/guard.ts";
import { advertise, readAdvertisement, withdraw } from "../lifecycle/advertisement.ts";
import type { DataFolder } from "../lifecycle/data-folder.ts";
import { takeNameLock } from "../lifecycle/name-lock.ts";
import { VERSION } from "../version.ts";

const NAME = "market-data";

/**
 * Makes this process the folder's market-data for as long as a command takes: its role and its name, until disposed. "announced": it is
 * advertised with its pid, so that a node that starts meanwhile is told who holds the store; it counts as no living node, because it holds no
 * alive lock. `action` completes "Cannot …". Throws FabricError "unavailable" naming the pid where a market-data runs, "io".
 */
export function takeMarketPlace(folder: DataFolder, action: string, announce: "announced" | "unannounced"): Disposable {
  const { files, openSqlite } = platform;
  declareRole(NAME);
  files.makeFolder(folder.run);
  const lock = takeNameLock(folder.run, NAME, openSqlite);
  if (!lock) {
    const pid = readAdvertisement(folder.run, files, NAME)?.pid;
    throw new FabricError(
      "unavailable",
      `Cannot ${action} in ${folder.path}: ${pid === undefined ? "another process" : `process ${pid}`} holds it as market-data; stop that first`,
    );
  }
  if (announce === "announced") announceSelf(folder.run);
  return {
    [Symbol.dispose]() {
      if (announce === "announced") courteously(() => withdraw(folder.run, files, NAME));
      lock.release();
    },
  };
}

function announceSelf(run: string): void {
  const { files, clock, random } = platform;
  const about = { node: NAME, role: NAME, pid: process.pid, version: VERSION } as const;
  courteously(() => advertise(run, files, { ...about, epoch: random.uuid(), startedAt: clock.nowMs(), endpoints: [] }));
}

/** The lock is what counts: where a name cannot be told (a full disk) the refusal of others says less. */
function courteously(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    if (!(error instanceof FabricError)) throw error;
  }
}
