import type { Files, Log, OpenSqlite, Timers } from "../../core/env.ts";
import { messageOf } from "../../core/errors.ts";
import { type Advertisement, liveNodes } from "../lifecycle/advertisement.ts";

const LOOK_EVERY_MS = 500;

export interface DiscoveryDeps {
  readonly files: Files;
  readonly openSqlite: OpenSqlite;
  readonly timers: Timers;
  readonly log: Log;
}

/** What hears the nodes: a ZmqSubscriber. */
interface Listener {
  connect(address: string): void;
  disconnect(address: string): void;
}

/** Keeps a subscriber connected to the nodes that are alive in a data folder: looks twice a second, forgets the dead. */
export class Discovery {
  readonly #runFolder: string;
  readonly #listener: Listener;
  readonly #deps: DiscoveryDeps;
  readonly #timer: { cancel(): void };
  #connected = new Set<string>();
  #failed = false;

  constructor(runFolder: string, listener: Listener, deps: DiscoveryDeps) {
    this.#runFolder = runFolder;
    this.#listener = listener;
    this.#deps = deps;
    this.#look();
    this.#timer = deps.timers.every(LOOK_EVERY_MS, () => this.#look());
  }

  /** Endpoints connected now. */
  get count(): number {
    return this.#connected.size;
  }

  close(): void {
    this.#timer.cancel();
  }

  #look(): void {
    let alive: Set<string>;
    try {
      alive = new Set(liveNodes(this.#runFolder, this.#deps.files, this.#deps.openSqlite).flatMap(endpointOf));
    } catch (error) {
      if (!this.#failed) this.#deps.log.warn(`Cannot look for nodes: ${messageOf(error)}`);
      this.#failed = true;
      return;
    }
    this.#failed = false;
    for (const address of alive) if (!this.#connected.has(address)) this.#listener.connect(address);
    for (const address of this.#connected) if (!alive.has(address)) this.#listener.disconnect(address);
    this.#connected = alive;
  }
}

/** One is enough to hear a node: its socket in the folder, which is there for every node. */
function endpointOf(node: Advertisement): readonly string[] {
  const endpoint = node.endpoints.find((each) => each.startsWith("ipc://"));
  return endpoint === undefined ? [] : [endpoint];
}
