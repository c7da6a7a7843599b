import type { FeedGap } from "../../core/candle.ts";
import type { HealthBody, HeartbeatBody, MetricsBody, NodeRole } from "../../core/wire.ts";
import type { StoreView } from "../../store/contract.ts";

/** All that was looked at, as plain values: what it means is for `judge` to say. */
export interface Evidence {
  /** Our own. */
  readonly version: string;
  readonly folder: FolderEvidence;
  readonly libzmq: LibraryEvidence;
  readonly duckdb: LibraryEvidence;
  /** Every advertisement in the folder, by name. */
  readonly nodes: readonly NodeEvidence[];
  /** Somebody holds the name market-data, advertised or not. */
  readonly storeLocked: boolean;
  readonly manifest: ManifestEvidence;
  readonly gaps: GapEvidence;
  readonly market: MarketEvidence;
}

export interface FolderEvidence {
  readonly path: string;
  readonly exists: boolean;
  /** Null where files can be made in it, as far as the system says. */
  readonly writeProblem: string | null;
  /** What this user may still write; null where the system does not tell. */
  readonly freeBytes: number | null;
}

export type LibraryEvidence = { readonly version: string } | { readonly problem: string };

export interface NodeEvidence {
  readonly node: string;
  readonly role: NodeRole;
  readonly pid: number;
  readonly version: string;
  /** The advertisement's path. */
  readonly file: string;
  /** Its name lock is held. */
  readonly alive: boolean;
  readonly endpoints: readonly EndpointEvidence[];
  /** Where another node of this environment would look for it. */
  readonly expectedEndpoint: string;
  /** The newest heard while listening. */
  readonly health: { readonly body: HealthBody; readonly ageMs: number } | null;
  readonly metrics: MetricsBody | null;
}

export interface EndpointEvidence {
  readonly address: string;
  /** Somebody answered there: a ZMQ handshake, or any HTTP status. */
  readonly answered: boolean;
}

export type ManifestEvidence =
  | { readonly kind: "none" }
  | { readonly kind: "unreadable"; readonly problem: string }
  | { readonly kind: "read"; readonly format: number; readonly view: StoreView };

export type GapEvidence =
  | { readonly kind: "unread"; readonly problem: string }
  | { readonly kind: "read"; readonly count: number; readonly newest: FeedGap | null };

/** What a subscriber of our own heard of market-data. */
export interface MarketEvidence {
  readonly listenedMs: number;
  readonly heartbeats: number;
  /** The newest. */
  readonly heartbeat: HeartbeatBody | null;
  readonly candles: number;
  /** Rows committed between the first heartbeat and the newest, by their commitSeq. */
  readonly committed: number;
  /** Of those, how many candles never came. */
  readonly missed: number;
  /** Our wall clock less sentAt, from the message that took the shortest way; null where none came. */
  readonly skewMs: number | null;
}
