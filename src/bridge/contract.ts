import type { BarPage, BarQuery, GapQuery, NumberedGap } from "../core/bars.ts";
import type {
  CandleBody,
  Envelope,
  HealthBody,
  IndicatorsBody,
  LogEntry,
  MetricsBody,
  NodeRole,
  PositionsBody,
  ScanBody,
} from "../core/wire.ts";
import type { TopicFilter } from "./topic-filter.ts";

/** A node or value silent for longer is stale: nodes publish once a second, so three snapshots were missed. */
export const STALE_AFTER_MS = 3000;

/** Market data older than this makes the bridge not ready. */
export const MARKET_FRESH_MS = 15_000;

/**
 * SSE event types that carry an id `<epoch>-<seq>` and one wire body plus the `Stamp`. Two more have no id: `bridge` (the bridge's
 * own state, first on every connection and with each heartbeat) and `resync` (see ResyncEvent).
 */
export const TELEMETRY_TYPES = ["metrics", "positions", "health", "logs", "candle", "scan", "indicators"] as const;

/** What the bridge adds to a body: where it came from and when it was heard. */
export interface Stamp {
  readonly topic: string;
  /** Wall ms on the bridge's steady clock (it starts at wall time and never jumps); age = the `bridge` event's now − this. */
  readonly receivedAt: number;
}

export type MetricsEvent = MetricsBody & Stamp;
export type PositionsEvent = PositionsBody & Stamp;
export type HealthEvent = HealthBody & Stamp;
export type ScanEvent = ScanBody & Stamp;
export type IndicatorsEvent = IndicatorsBody & Stamp;
export type CandleEvent = CandleBody & Stamp;

/** A log entry with its place in the node's log as this bridge heard it: 1, 2, 3 … */
export interface NumberedEntry extends LogEntry {
  readonly n: number;
}

/** Live: the entries not sent before. To a new client: the whole ring. Either way `n` tells what is already known. */
export interface LogsEvent extends Envelope, Stamp {
  readonly entries: readonly NumberedEntry[];
  readonly dropped: number;
}

/** The bridge's own state: lets a client set its clock by the bridge's, and tell a quiet market from a dead connection. */
export interface BridgeEvent {
  readonly epoch: string;
  readonly version: string;
  /** The steady clock that `receivedAt` is on. */
  readonly now: number;
  readonly uptimeMs: number;
  readonly staleAfterMs: number;
  readonly heartbeatMs: number;
  readonly ready: boolean;
  /** Why not ready, or how fresh. */
  readonly readyReason: string;
  readonly nodes: number;
  readonly clients: number;
}

/** Sent without an id before the snapshot where a client asked to go on from an event that this bridge cannot go on from. */
export interface ResyncEvent {
  readonly reason: string;
  /** The bridge's life: what a client knows of another one, log numbers above all, no longer holds. */
  readonly epoch: string;
}

export type TelemetryEvent =
  | { readonly type: "metrics"; readonly data: MetricsEvent }
  | { readonly type: "positions"; readonly data: PositionsEvent }
  | { readonly type: "health"; readonly data: HealthEvent }
  | { readonly type: "scan"; readonly data: ScanEvent }
  | { readonly type: "indicators"; readonly data: IndicatorsEvent }
  | { readonly type: "candle"; readonly data: CandleEvent }
  | { readonly type: "logs"; readonly data: LogsEvent };

/** A value with its age when the snapshot was taken. Stale values are shown as such, never as fresh. */
export type Aged<T> = T & { readonly ageMs: number; readonly stale: boolean };

export interface NodeView {
  readonly node: string;
  readonly role: NodeRole | null;
  /** Since anything was heard of the node. */
  readonly ageMs: number;
  readonly stale: boolean;
  readonly health: Aged<HealthEvent> | null;
  readonly metrics: Aged<MetricsEvent> | null;
  readonly positions: Aged<PositionsEvent> | null;
  readonly scan: Aged<ScanEvent> | null;
  /** Stale when the node is: unchanged indicators are sent seldom. */
  readonly indicators: Aged<IndicatorsEvent> | null;
  readonly logs: Aged<LogsEvent> | null;
}

export interface TelemetrySnapshot {
  readonly bridge: BridgeEvent;
  /** The id of the newest event this snapshot holds. */
  readonly lastEventId: string;
  /** By name. */
  readonly nodes: readonly NodeView[];
  /** The newest candle per symbol, by symbol. A candle's age says when it was heard; it is stale when its publisher is. */
  readonly candles: readonly Aged<CandleEvent>[];
}

export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
  /** Age of the freshest market data any market-data node reports; null where there is none. */
  readonly dataAgeMs: number | null;
}

export interface StreamRequest {
  readonly signal: AbortSignal;
  /** The id of the last event the client was told, with the same topics; null for a client without one. */
  readonly lastEventId: string | null;
  /** Null for everything. */
  readonly topics: TopicFilter | null;
  /** Whom the bound per address counts; null for nobody. */
  readonly address?: string | null;
}

/** What the app shows. None of it can act: every member reads. */
export interface TelemetryView {
  snapshot(): TelemetrySnapshot;
  readiness(): Readiness;
  /**
   * A new client's SSE byte stream: the current snapshot as ordinary events, or what it has missed, then what follows. Null at
   * the client limit, in all or of its address. Cancelling the stream or aborting `signal` frees the slot.
   */
  openStream(request: StreamRequest): ReadableStream<Uint8Array> | null;
}

/** Reads the store. */
export interface CandleReader {
  /** Null while there is no store. */
  bars(query: BarQuery): Promise<BarPage | null>;
  /** Newest first; null while there is no store. */
  gaps(query: GapQuery): Promise<readonly NumberedGap[] | null>;
}

export interface Asset {
  readonly body: Uint8Array | string;
  /** For example `text/html; charset=utf-8`. */
  readonly contentType: string;
}

/** The dashboard's files by URL path: `/`, `/assets/app.js`, `/assets/style.css`. */
export interface DashboardAssets {
  get(path: string): Asset | null;
}
