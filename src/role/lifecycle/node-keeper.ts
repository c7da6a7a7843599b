import { RateLimitedLog } from "../../bus/rate-limited-log.ts";
import type { Clock, Files, Log, Timers } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import { type Advertisement, advertise, isAdvertised } from "./advertisement.ts";
import type { AliveLock } from "./alive-lock.ts";
import type { NameLock } from "./name-lock.ts";
import { checkPrivateFolder } from "./private-folder.ts";

/** How often a node looks for what is its own: what was deleted is back within this and the time a look takes, ms. */
const LOOK_MS = 500;

/** What a node has in its data folder while it lives. */
export interface NodeBelongings {
  /** <data>/run. */
  readonly run: string;
  /** Where its ipc socket is: `run`, or a private folder elsewhere. */
  readonly sockets: string;
  readonly lock: NameLock;
  readonly alive: AliveLock;
  readonly socket: { rebindLost(): readonly string[] };
  readonly advertisement: Advertisement;
  /**
   * What to do where another process took the name while the run folder was gone: "stop" ends this node (two that trade must not
   * be), "stay" is for the node that holds a lock of its own on what matters (market-data, the store's).
   */
  readonly whenNameIsLost: "stop" | "stay";
}

export interface KeeperDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

/**
 * Keeps a living node findable (invariant 10): twice a second it makes again what somebody deleted of it: the run folder, its name's
 * lock, its socket, its advertisement. What cannot be made now (a full disk, a read-only folder) is told and tried again; it never
 * ends the node.
 */
export class NodeKeeper implements Disposable {
  readonly #own: NodeBelongings;
  readonly #deps: KeeperDeps;
  readonly #trouble: RateLimitedLog;
  readonly #timer: { cancel(): void };
  readonly #lost = Promise.withResolvers<never>();
  #advertisement: Advertisement;
  #failing = false;
  #nameLost = false;

  /** Looks once at once. */
  constructor(own: NodeBelongings, deps: KeeperDeps) {
    this.#own = own;
    this.#deps = deps;
    this.#advertisement = own.advertisement;
    this.#trouble = new RateLimitedLog(deps.log, deps.clock);
    // Whoever does not wait for it is not told of it as of an error that nobody caught.
    this.#lost.promise.catch(() => undefined);
    this.#look(true);
    this.#timer = deps.timers.every(LOOK_MS, () => this.#look(false));
  }

  /** Rejects with "refused" once another process holds the name and this node is to stop for it; never resolves. */
  get lost(): Promise<never> {
    return this.#lost.promise;
  }

  /** Another process holds the name: what lies in the folder is its, not ours. */
  get nameLost(): boolean {
    return this.#nameLost;
  }

  /** Changes what is advertised. */
  advertise(endpoints: readonly string[]): void {
    this.#advertisement = { ...this.#advertisement, endpoints: [...endpoints] };
    this.#look(true);
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  #look(expected: boolean): void {
    try {
      const mended = this.#mend();
      if (mended.length > 0 && !expected) this.#deps.log.warn(`Made again what was gone: ${mended.join(", ")}`);
      if (this.#failing) this.#deps.log.info("This node can be found in its data folder again");
      this.#failing = false;
    } catch (error) {
      this.#failing = true;
      this.#trouble.warn("keep", `Cannot keep this node findable, will try again: ${messageOf(error)}`);
    }
  }

  #mend(): readonly string[] {
    const { files } = this.#deps;
    const { run, sockets, lock, alive, socket } = this.#own;
    const mended: string[] = [];
    for (const folder of new Set([run, sockets])) {
      if (files.stat(folder)?.isDirectory) continue;
      files.makeFolder(folder);
      mended.push(folder);
    }
    if (sockets !== run) checkPrivateFolder(sockets);
    const held = lock.renew(this.#nameLost);
    if (held === "taken") {
      this.#loseName();
      return mended;
    }
    this.#nameLost = false;
    // Where a frozen looker is in the way, the next look tries again.
    alive.keep();
    if (held === "renewed") mended.push("its name's lock");
    for (const address of socket.rebindLost()) mended.push(address);
    if (!isAdvertised(run, files, this.#advertisement)) {
      advertise(run, files, this.#advertisement);
      mended.push("its advertisement");
    }
    return mended;
  }

  #loseName(): void {
    const { node } = this.#advertisement;
    this.#nameLost = true;
    const what = `another process took the name "${node}" while ${this.#own.run} was gone`;
    if (this.#own.whenNameIsLost === "stay") {
      this.#trouble.warn("name", `Going on, though ${what}: end that one; the store is still held by this node`);
      return;
    }
    this.#lost.reject(new FabricError("refused", `Cannot go on as "${node}": ${what}; two of one name must not run`));
  }
}
