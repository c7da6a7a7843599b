import type { FeedGap, StoredCandle } from "../../core/candle.ts";
import type { CandleBody, RailState } from "../../core/wire.ts";
import type { TruthRow } from "../../feed/sim/exact-candle.ts";
import type { StoreReport } from "../../store/verify.ts";
import type { Exit } from "./actor.ts";
import type { JournalContents } from "./journals.ts";
import type { OutageFacts } from "./outages.ts";
import type { PlayFacts } from "./play.ts";
import type { VenueBooks } from "./venue-books.ts";

/** All that was seen, as plain values: what it means is for the judges to say. */
export interface Evidence {
  readonly symbols: readonly string[];
  /** The published rows of revision 0, in commitSeq order. */
  readonly rows: readonly StoredCandle[];
  readonly gaps: readonly FeedGap[];
  /** The exchange's own candles of every minute from the store's first to its last. */
  readonly truth: readonly TruthRow[];
  /** What `fabric data verify` said of the store, or why it could not. */
  readonly verify: (StoreReport & { readonly ok: boolean }) | { readonly problem: string };
  readonly runners: readonly RunnerEvidence[];
  /** The exchange's own books, of the account that the live runner trades with. */
  readonly venue: VenueBooks;
  /** The consumers' rails as they told of them last. */
  readonly rails: readonly { readonly node: string; readonly rails: readonly RailState[] }[];
  /** What an own subscriber and an own reader saw while the play went on. */
  readonly wire: readonly CandleBody[];
  readonly segments: readonly StoredCandle[];
  /** Candles that the subscriber heard and could not remember. */
  readonly forgotten: number;
  readonly segmentReads: SegmentReads;
  readonly outages: OutageFacts;
  /** How often each kind of fault was scheduled, by the first word of its name; none where there was no leave for it. */
  readonly wished: Readonly<Record<string, number>>;
  readonly play: PlayFacts;
  readonly caughtUp: CaughtUp;
  /** How the nodes ended when they were asked to. */
  readonly stops: readonly Exit[];
  /** Processes, sockets, temporary files and mounts that were left. */
  readonly leftBehind: readonly string[];
  /** What could not be looked at, and the invariants that rest on it. */
  readonly problems: readonly Problem[];
  /** Why processes, their files and mounts could not be looked at here; null where they were. */
  readonly blind: string | null;
}

export interface Problem {
  readonly ids: readonly string[];
  readonly what: string;
}

export interface SegmentReads {
  readonly reads: number;
  readonly failures: number;
  /** Why the last read, with everything stopped, failed; null where it did not. */
  readonly atLast: string | null;
}

export interface RunnerEvidence {
  readonly runner: string;
  readonly found: JournalContents;
  /**
   * The same candles through the same strategy, on a fresh journal that nothing hurts; or why that could not be done. Null for the
   * runner that trades live: what it decides depends on when its orders were filled.
   */
  readonly undisturbed: JournalContents | { readonly problem: string } | null;
  /** What it told of its positions last, by symbol; null where it never did. */
  readonly positions: ReadonlyMap<string, string> | null;
  /** Where it began, as its journal said before anything was hurt; null where it had not begun. */
  readonly begun: Beginning | null;
}

export type Beginning = Pick<JournalContents, "startSeq" | "anchors">;

export interface CaughtUp {
  readonly boundMs: number;
  /** Wall ms from the end of the faults until everything had caught up; null where it did not within the bound. */
  readonly tookMs: number | null;
  readonly waitingFor: readonly string[];
}

/** One thing that must hold. `id` is stable. */
export interface Verdict {
  readonly id: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Faults named in one verdict; the rest are counted. */
const TOLD = 5;

export function verdict(id: string, faults: readonly string[], well: string): Verdict {
  if (faults.length === 0) return { id, ok: true, detail: well };
  const more = faults.length > TOLD ? ` (and ${faults.length - TOLD} more)` : "";
  return { id, ok: false, detail: faults.slice(0, TOLD).join("; ") + more };
}
