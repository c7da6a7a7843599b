import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqPublisher } from "../../bus/zmq-publisher.ts";
import type { Log } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import type { NodeName } from "../../core/symbol.ts";
import { withdraw } from "./advertisement.ts";
import { AliveLock } from "./alive-lock.ts";
import { type DataFolder, prepareDataFolder } from "./data-folder.ts";
import { type NameLock, takeNameLock } from "./name-lock.ts";
import { checkPrivateFolder } from "./private-folder.ts";
import { sweepTemporaries } from "./temporaries.ts";

/** Starts of a start: somebody may delete the run folder in the middle of one. */
const TRIES = 3;

/** What a node holds in its data folder from its start to its end. */
export interface NodePlace {
  readonly lock: NameLock;
  /** Taken by whoever keeps the node findable. */
  readonly alive: AliveLock;
  readonly socket: ZmqPublisher;
  /** The folder of its ipc socket, and the socket's file. */
  readonly sockets: string;
  readonly socketFile: string;
}

export interface PlaceOptions {
  readonly name: NodeName;
  readonly folder: DataFolder;
  /** Endpoints to publish on besides the folder's ipc socket. */
  readonly publish: readonly string[];
}

/**
 * Makes the folders, takes the name, binds the sockets; null where another process holds the name. Where the run folder vanishes
 * meanwhile it begins anew. Throws FabricError "io" for a folder that cannot be used, "unavailable" for an address in use.
 */
export function takePlace(options: PlaceOptions, log: Log): NodePlace | null {
  for (let tries = 1; ; tries++) {
    prepareDataFolder(options.folder, platform.files);
    try {
      return tryPlace(options, log);
    } catch (error) {
      const code = error instanceof FabricError ? error.code : null;
      const vanished = (code === "io" || code === "missing-input") && isGone(options);
      if (!vanished || tries >= TRIES) throw error;
      log.warn(`Beginning anew: ${options.folder.run} vanished during the start`);
    }
  }
}

function tryPlace({ name, folder, publish }: PlaceOptions, log: Log): NodePlace | null {
  const lock = takeNameLock(folder.run, name, platform.openSqlite);
  if (!lock) return null;
  try {
    // What a dead predecessor advertised would be taken for ours where ours cannot be written at once (a full disk).
    withdraw(folder.run, platform.files, name);
    sweepTemporaries(folder.run, `${name}.json`, platform.files);
    const endpoint = folder.ipcEndpoint(name);
    const sockets = socketsOf({ name, folder });
    platform.files.makeFolder(sockets);
    if (sockets !== folder.run) checkPrivateFolder(sockets);
    const socket = new ZmqPublisher(
      { endpoints: { bind: [endpoint, ...publish] } },
      { backend: zmqBackend, clock: platform.clock, log },
    );
    const alive = new AliveLock(folder.run, name, platform.openSqlite);
    return { lock, alive, socket, sockets, socketFile: endpoint.slice("ipc://".length) };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function socketsOf({ name, folder }: Pick<PlaceOptions, "name" | "folder">): string {
  const endpoint = folder.ipcEndpoint(name);
  return endpoint.slice("ipc://".length, endpoint.lastIndexOf("/"));
}

function isGone(options: PlaceOptions): boolean {
  return [options.folder.run, socketsOf(options)].some((path) => !platform.files.stat(path)?.isDirectory);
}
