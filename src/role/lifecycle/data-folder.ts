import { createHash } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Files } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";

/** Where everything of one store stands (design: Store). All paths are absolute. */
export interface DataFolder {
  readonly path: string;
  readonly run: string;
  readonly journal: string;
  /** The ipc endpoint that a node of this name binds. */
  ipcEndpoint(node: string): string;
}

/** sun_path holds 108 bytes with its end mark; libzmq appends nothing. */
const MAX_IPC_PATH_BYTES = 107;

/** The data folder of a command: its --data, else FABRIC_DATA, else ./fabric-data. */
export function dataFolder(flag: string | undefined): DataFolder {
  const path = resolve(flag ?? process.env.FABRIC_DATA ?? "fabric-data");
  const run = join(path, "run");
  const journal = join(path, "journal");
  return {
    path,
    run,
    journal,
    ipcEndpoint: (node) => `ipc://${ipcPath(path, run, node)}`,
  };
}

/** Makes the folders a node needs; throws "io" naming the folder where it cannot be written. */
export function prepareDataFolder(folder: DataFolder, files: Files): void {
  try {
    for (const path of [folder.path, folder.run, folder.journal]) files.makeFolder(path);
    accessSync(folder.path, constants.W_OK);
    accessSync(folder.run, constants.W_OK);
  } catch (error) {
    throw new FabricError(
      "io",
      `Cannot use the data folder ${folder.path}: it must be a folder that can be written (${rootMessage(error)}); choose another with --data`,
      {
        cause: error,
      },
    );
  }
}

/** What the system said, without the sentence that was put around it. */
function rootMessage(error: unknown): string {
  return messageOf(error instanceof FabricError && error.cause !== undefined ? error.cause : error);
}

/** The socket's path inside the data folder, or a short private one elsewhere where that is too long for the kernel. */
function ipcPath(path: string, run: string, node: string): string {
  const inside = join(run, `${node}.ipc`);
  if (Buffer.byteLength(inside) <= MAX_IPC_PATH_BYTES) return inside;
  const key = createHash("sha256").update(path).digest("hex").slice(0, 12);
  return join(process.env.XDG_RUNTIME_DIR ?? tmpdir(), `fabric-${key}`, `${node}.ipc`);
}
