import { FabricError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";

/** The roles that chaos plays; two of its nodes are runners. */
export const ROLES = ["sim", "market-data", "runner", "scanner", "bridge"] as const;
export type Role = (typeof ROLES)[number];

/** The two wires that chaos owns: the exchange's (WebSocket and REST) and ZeroMQ's, each through a proxy. */
export const WIRES = ["exchange", "zmq"] as const;
export type Wire = (typeof WIRES)[number];

/** What is done to the disk. */
export const DISK_FAULTS = ["full", "read-only"] as const;
export type DiskFault = (typeof DISK_FAULTS)[number];

/** What is deleted or cut short behind the nodes' backs. */
export const FILE_FAULTS = ["socket", "advertisement", "run", "segment", "manifest", "published"] as const;
export type FileFault = (typeof FILE_FAULTS)[number];

/** What chaos may do, and for how long. */
export interface ChaosWish {
  /** Wall ms of faults. */
  readonly forMs: number;
  /** Decides the market and the schedule. */
  readonly seed: number;
  readonly kill: ReadonlySet<Role>;
  readonly stall: ReadonlySet<Role>;
  readonly drop: ReadonlySet<Wire>;
  readonly skew: ReadonlySet<Role>;
  readonly disk: ReadonlySet<DiskFault>;
  readonly files: ReadonlySet<FileFault>;
}

/** Parses `a,b`, `all` or `none` into a set of the known words; all of them where nothing is given. Throws "usage". */
export function listOf<Word extends string>(
  flag: string,
  given: string | undefined,
  known: readonly Word[],
): ReadonlySet<Word> {
  if (given === undefined || given === "all") return new Set(known);
  if (given === "none") return new Set();
  const words = given.split(",").map((word) => word.trim());
  const chosen = words.map((word) => {
    const found = known.find((each) => each === word);
    if (found !== undefined) return found;
    throw new FabricError(
      "usage",
      `Bad --${flag} "${word}": expected all, none or some of ${known.join(", ")}${didYouMean(word, known)}`,
    );
  });
  return new Set(chosen);
}
