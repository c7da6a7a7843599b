import { messageOf } from "../../core/errors.ts";
import { LIVE_RUNNER, RUNNERS, type Stage, SYMBOLS } from "./cast.ts";
import type { Disk } from "./disk.ts";
import type { Beginning, Evidence, Problem, RunnerEvidence, SegmentReads } from "./evidence.ts";
import type { Grounds } from "./folder.ts";
import { filesLeft, processesLeft, publishedRows, runnerEvidence, truthOf, whyBlind } from "./gather.ts";
import { mountsOf } from "./mounts.ts";
import type { Play } from "./play.ts";
import type { SegmentEar } from "./segment-ear.ts";
import { readVenueBooks } from "./venue-books.ts";

/** What the nodes told, how they ended, and what was scheduled. */
interface Heard extends Pick<Evidence, "rails" | "caughtUp" | "stops" | "wished"> {
  readonly positions: ReadonlyMap<string, ReadonlyMap<string, string> | null>;
}

export interface Remains {
  readonly play: Pick<Play, "facts" | "outages" | "close"> & {
    readonly ear: Pick<Play["ear"], "candles" | "forgotten">;
  };
  readonly stage: Stage;
  readonly heard: Heard;
  readonly grounds: Pick<Grounds, "device" | "sockets">;
  readonly segments: Pick<SegmentEar, "readRest" | "rows"> | null;
  readonly disk: Pick<Disk, "close"> | null;
  readonly begun: ReadonlyMap<string, Beginning>;
  verify(): Promise<Evidence["verify"]>;
}

/** The invariants that rest on a paper runner's journal, on the live one's, and on the published store. */
const OF_PAPER = ["digests", "orders-once", "fills-once", "decisions", "positions"];
const OF_LIVE = ["venue-orders", "venue-holdings"];
const OF_STORE = ["candles", "gaps", "commit-seq"];

const UNREAD: SegmentReads = { reads: 0, failures: 0, atLast: null };

/** Looks at one thing after another: what cannot be looked at becomes a problem of the invariants that rest on it, never an end. */
class Pieces {
  readonly problems: Problem[] = [];

  async take<T>(what: string, ids: readonly string[], look: () => T | Promise<T>, otherwise: T): Promise<T> {
    try {
      return await look();
    } catch (error) {
      this.problems.push({ ids, what: `${what}: ${messageOf(error)}` });
      return otherwise;
    }
  }
}

/** Everything that can be looked at once all has stopped, whatever of it cannot. Ends the play and the disk. Never rejects. */
export async function gatherEvidence(remains: Remains): Promise<Evidence> {
  const { play, stage, heard, grounds, segments, disk } = remains;
  const { data, work, seed } = stage;
  const pieces = new Pieces();
  const left: string[] = [];
  const look = async (what: string, find: () => readonly string[]) =>
    left.push(...(await pieces.take(what, ["nothing-left"], find, [])));
  // Before anything is looked at: a read-only look at a journal leaves SQLite's log files beside it.
  await look("files that were left", () => [data, grounds.sockets ?? []].flat().flatMap(filesLeft));
  const readRest = async () => (await segments?.readRest()) ?? UNREAD;
  const segmentReads = await pieces.take("the segments' last rows", ["segments-durable"], readRest, UNREAD);
  const unverified = { problem: "it was not verified" };
  const verify = await pieces.take<Evidence["verify"]>("fabric data verify", ["store"], remains.verify, unverified);
  const nothing = { rows: [], gaps: [] };
  const { rows, gaps } = await pieces.take("the published store", OF_STORE, () => publishedRows(data), nothing);
  const runners = await runnersOf(remains, rows, pieces);
  const truth = await pieces.take("the exchange's own candles", ["candles"], () => truthOf(seed, rows), []);
  const books: Evidence["venue"] = { orders: [], balances: new Map() };
  const venue = await pieces.take("the exchange's books", OF_LIVE, () => readVenueBooks(data), books);
  const outages = play.outages();
  await pieces.take("the play's end", ["nothing-left"], () => play.close(), undefined);
  await look("processes that were left", () => processesLeft(work));
  await look("the disk", () => [disk?.close(true) ?? []].flat());
  await look("mounts that were left", () => mountsOf(grounds.device).map((mount) => `mount ${mount}`));
  const { candles: wire, forgotten } = play.ear;
  return {
    ...heard,
    ...{ symbols: SYMBOLS, rows, gaps, truth, verify, runners, venue, wire, forgotten, segmentReads, outages },
    segments: segments?.rows ?? [],
    play: play.facts,
    leftBehind: left,
    problems: pieces.problems,
    blind: whyBlind(),
  };
}

async function runnersOf(
  { stage, heard, begun }: Remains,
  rows: Evidence["rows"],
  pieces: Pieces,
): Promise<readonly RunnerEvidence[]> {
  const runners: RunnerEvidence[] = [];
  for (const runner of RUNNERS) {
    const told = { positions: heard.positions.get(runner) ?? null, begun: begun.get(runner) ?? null };
    const ids = runner === LIVE_RUNNER ? ["digests", "orders-once", "decisions", ...OF_LIVE] : OF_PAPER;
    const look = () => runnerEvidence(runner, stage, rows, told);
    const its = await pieces.take<RunnerEvidence | null>(`the journal of ${runner}`, ids, look, null);
    if (its !== null) runners.push(its);
  }
  return runners;
}
