import { join } from "node:path";
import type { Files } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";

/** A halt as its file holds it. */
export interface Halt {
  readonly reason: string | null;
  /** Wall ms; null where the file does not tell. */
  readonly at: number | null;
}

/** How a reason begins that comes from the kill switch. */
export const HALTED = "halted: ";
/** No runner may be named so: a name begins with a letter or a digit. */
const EVERY_RUNNER = "_all";
const SUFFIX = ".json";

/** Most characters of a reason that are kept. */
const MAX_REASON = 200;

/**
 * The kill switch: a file in <data>/halt, for one runner or for all. While it is there nothing is sent. What cannot be read, or
 * looked at, counts as halted.
 */
export class HaltSwitch {
  readonly #files: Files;
  readonly #paths: readonly string[];

  constructor(files: Files, dataFolder: string, runner: string) {
    this.#files = files;
    this.#paths = [EVERY_RUNNER, runner].map((name) => haltPath(dataFolder, name));
  }

  /** Why nothing may be sent now, "halted: …"; null where it may. Looks at the disk: two stats, some microseconds. */
  now(): string | null {
    for (const path of this.#paths) {
      try {
        if (this.#files.stat(path) === null) continue;
      } catch (error) {
        return `${HALTED}cannot tell whether it is, for safety (${messageOf(error)})`;
      }
      return `${HALTED}${readHalt(this.#files, path)?.reason ?? "no reason given"}`;
    }
    return null;
  }
}

/** Halts a runner, or all where null, durably; a halt that stands is replaced. Throws FabricError "io". */
export function writeHalt(files: Files, dataFolder: string, runner: string | null, halt: Halt): void {
  files.makeFolder(haltFolder(dataFolder));
  const { reason, at } = halt;
  const body = { reason: reason?.slice(0, MAX_REASON) ?? null, at };
  files.writeDurably(haltPath(dataFolder, runner ?? EVERY_RUNNER), `${JSON.stringify(body)}\n`);
}

/** Takes a halt back; false where there was none. Throws FabricError "io". */
export function removeHalt(files: Files, dataFolder: string, runner: string | null): boolean {
  const path = haltPath(dataFolder, runner ?? EVERY_RUNNER);
  if (files.stat(path) === null) return false;
  files.remove(path);
  files.sync(haltFolder(dataFolder));
  return true;
}

/** The halts of a data folder by runner; null is that of all. */
export function readHalts(files: Files, dataFolder: string): ReadonlyMap<string | null, Halt> {
  const folder = haltFolder(dataFolder);
  const names = files.list(folder).filter((name) => name.endsWith(SUFFIX));
  return new Map(
    names.map((name) => {
      const runner = name.slice(0, -SUFFIX.length);
      const halt = readHalt(files, join(folder, name)) ?? { reason: null, at: null };
      return [runner === EVERY_RUNNER ? null : runner, halt] as const;
    }),
  );
}

function haltFolder(dataFolder: string): string {
  return join(dataFolder, "halt");
}

function haltPath(dataFolder: string, name: string): string {
  return join(haltFolder(dataFolder), `${name}${SUFFIX}`);
}

/** Null where the file says nothing that can be read: it halts all the same. */
function readHalt(files: Files, path: string): Halt | null {
  try {
    const { reason, at } = JSON.parse(files.readText(path)) as Readonly<Record<string, unknown>>;
    return { reason: typeof reason === "string" ? reason : null, at: typeof at === "number" ? at : null };
  } catch (error) {
    if (error instanceof FabricError || error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
