import { platform } from "#platform";
import { FabricError, messageOf } from "../../core/errors.ts";
import { type DataFolder, prepareDataFolder } from "../lifecycle/data-folder.ts";
import { takeNameLock } from "../lifecycle/name-lock.ts";

/** How often it looks whether its lock is still where others look for it, ms. */
const LOOK_MS = 500;

/** What `fabric up` holds of its data folder. */
export interface UpLock extends Disposable {
  /** Takes it again where somebody deleted its file; `lost` is called, once, where another `up` has it by then. */
  keep(lost: () => void, say: (line: string) => void): void;
}

/** Throws FabricError "refused" where another `up` runs on the folder, "io" where it cannot be used. */
export function takeUpLock(folder: DataFolder): UpLock {
  prepareDataFolder(folder, platform.files);
  const lock = takeNameLock(folder.run, "up", platform.openSqlite);
  if (!lock) throw otherUp(folder);
  let timer: { cancel(): void } | null = null;
  const look = (lost: () => void, say: (line: string) => void) => {
    try {
      platform.files.makeFolder(folder.run);
      if (lock.renew(false) !== "taken") return;
      timer?.cancel();
      lost();
    } catch (error) {
      say(`cannot keep its lock, will try again: ${messageOf(error)}`);
    }
  };
  return {
    keep(lost, say) {
      timer = platform.timers.every(LOOK_MS, () => look(lost, say));
    },
    [Symbol.dispose]() {
      timer?.cancel();
      lock.release();
    },
  };
}

export function otherUp(folder: DataFolder): FabricError {
  return new FabricError(
    "refused",
    `Cannot run: another fabric up runs on ${folder.path}; stop it, or choose another --data`,
  );
}
