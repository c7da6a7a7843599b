import * as v from "valibot";
import { PROVENANCES } from "../core/candle.ts";
import {
  count,
  DECISION_SCHEMA,
  FILL_SCHEMA,
  HEALTH_SCHEMA,
  INDICATOR_TABLE_SCHEMA,
  INDICATORS_SCHEMA,
  INSTRUMENT_SCHEMA,
  METRICS_SCHEMA,
  mode,
  name,
  nodeState,
  number,
  ORDER_SCHEMA,
  POSITION_SCHEMA,
  POSITIONS_SCHEMA,
  PROFIT_SCHEMA,
  RAIL_SCHEMA,
  role,
  SCAN_ROW_SCHEMA,
  SCAN_SCHEMA,
  symbol,
  text,
  time,
} from "./body-schemas.ts";

/** Answers of the REST interface, as valibot checks them in tests and as the API's description shows them. */

const described = <const S extends v.GenericSchema>(schema: S, what: string) => v.pipe(schema, v.description(what));

const ageMs = described(number, "ms since it was heard");
const stale = described(v.boolean(), "nothing newer came for over 3 s: the value may be wrong by now");
const now = described(time, "the bridge's steady clock, wall ms");

const bounded = <const S extends v.GenericSchema>(item: S, most: number) => v.pipe(v.array(item), v.maxLength(most));

/** Bounds of answers: nodes remembered, and what each may tell. */
export const MOST = {
  nodes: 256,
  symbols: 5000,
  logs: 1000,
  rows: 1000,
  tables: 64,
  candles: 5000,
  gaps: 1000,
  scan: 5000,
} as const;

const stamp = { topic: described(v.string(), "the topic it came on"), receivedAt: time };
const aged = { ageMs, stale };
/** Beside every row that is taken out of a node's telemetry. */
const source = { node: name, ...aged };

export const BRIDGE_EVENT = v.object({
  epoch: name,
  version: v.string(),
  now,
  uptimeMs: number,
  staleAfterMs: number,
  heartbeatMs: number,
  ready: v.boolean(),
  readyReason: v.string(),
  nodes: count,
  clients: count,
});

const numberedEntry = v.object({
  at: described(number, "wall ms"),
  level: v.picklist(["debug", "info", "warn", "error"]),
  message: v.pipe(v.string(), v.maxLength(2000)),
  n: described(count, "its place in the node's log as this bridge heard it"),
});

const envelope = { v: count, node: name, epoch: name, seq: count, sentAt: number };

const candleEvent = v.object({
  ...envelope,
  ...stamp,
  ...aged,
  storeId: name,
  symbol,
  openTime: time,
  closeTime: time,
  open: number,
  high: number,
  low: number,
  close: number,
  volume: number,
  quoteVolume: number,
  trades: count,
  takerBuyVolume: number,
  takerBuyQuoteVolume: number,
  firstTradeId: v.nullable(count),
  lastTradeId: v.nullable(count),
  provenance: v.picklist(PROVENANCES),
  commitSeq: count,
  prevOpenTime: v.nullable(time),
});

export const SNAPSHOT = v.object({
  bridge: BRIDGE_EVENT,
  lastEventId: described(
    v.string(),
    "the id of the newest event this holds; send it as Last-Event-ID to go on from here",
  ),
  nodes: bounded(
    v.object({
      node: name,
      role: v.nullable(role),
      ...aged,
      health: v.nullable(v.object({ ...HEALTH_SCHEMA.entries, ...stamp, ...aged })),
      metrics: v.nullable(v.object({ ...METRICS_SCHEMA.entries, ...stamp, ...aged })),
      positions: v.nullable(v.object({ ...POSITIONS_SCHEMA.entries, ...stamp, ...aged })),
      scan: v.nullable(v.object({ ...SCAN_SCHEMA.entries, ...stamp, ...aged })),
      indicators: v.nullable(v.object({ ...INDICATORS_SCHEMA.entries, ...stamp, ...aged })),
      logs: v.nullable(
        v.object({ ...envelope, ...stamp, ...aged, entries: bounded(numberedEntry, MOST.logs), dropped: count }),
      ),
    }),
    MOST.nodes,
  ),
  candles: bounded(candleEvent, MOST.symbols),
});

const figure = (what: string) => described(v.nullable(number), what);

export const NODES = v.object({
  now,
  nodes: bounded(
    v.object({
      ...source,
      role: v.nullable(role),
      state: v.nullable(nodeState),
      reason: described(v.nullable(text), "why, where the state is not running"),
      mode: described(v.nullable(mode), "paper or live, where the node trades"),
      pid: v.nullable(count),
      version: v.nullable(name),
      uptimeMs: figure("ms since it started"),
      dataAgeMs: figure("ms since it made progress on market data, told by itself"),
      details: v.nullable(HEALTH_SCHEMA.entries.details),
      cpuPercent: figure("of one core"),
      rssBytes: figure("resident memory"),
      loopLagP50Ms: figure("how late its event loop runs"),
      loopLagP99Ms: figure("how late its event loop runs"),
      sentTotal: figure("messages published since it started"),
      droppedTotal: figure("messages it could not publish"),
    }),
    MOST.nodes,
  ),
});

export const POSITIONS = v.object({
  now,
  runners: bounded(
    v.object({
      ...source,
      mode,
      strategy: text,
      pnl: v.nullable(PROFIT_SCHEMA),
      positions: bounded(POSITION_SCHEMA, MOST.symbols),
      instruments: bounded(INSTRUMENT_SCHEMA, 500),
    }),
    MOST.nodes,
  ),
});

const trading = { ...source, mode };
export const ORDERS = v.object({ now, orders: bounded(v.object({ ...ORDER_SCHEMA.entries, ...trading }), MOST.rows) });
export const FILLS = v.object({ now, fills: bounded(v.object({ ...FILL_SCHEMA.entries, ...trading }), MOST.rows) });
export const DECISIONS = v.object({
  now,
  decisions: bounded(v.object({ ...DECISION_SCHEMA.entries, ...trading }), MOST.rows),
});

export const INDICATORS = v.object({
  now,
  tables: bounded(
    v.object({ ...source, strategy: text, timeframe: name, ...INDICATOR_TABLE_SCHEMA.entries }),
    MOST.tables,
  ),
  omitted: described(count, "tables left out at the limit"),
});

export const METRICS = v.object({
  now,
  nodes: bounded(v.object({ ...source, role, values: METRICS_SCHEMA.entries.values }), MOST.nodes),
});

export const LOGS = v.object({
  now,
  entries: described(
    bounded(v.object({ node: name, ...numberedEntry.entries }), MOST.rows),
    "newest first, at most 1,000 lines a node remembered",
  ),
  older: described(v.nullable(v.string()), "`before` of the next page; null where there is nothing older"),
});

export const SCAN = v.object({
  now,
  rows: described(bounded(v.object({ ...source, ...SCAN_ROW_SCHEMA.entries }), MOST.scan), "by rule, then rank"),
});

export const RAILS = v.object({
  now,
  nodes: bounded(v.object({ ...source, role, rails: bounded(RAIL_SCHEMA, MOST.symbols) }), MOST.nodes),
});

const bar = v.object({
  openTime: time,
  closeTime: described(time, "the last ms that belongs to it"),
  open: number,
  high: number,
  low: number,
  close: number,
  volume: described(number, "base asset"),
  quoteVolume: described(number, "quote asset"),
  trades: count,
  takerBuyVolume: number,
  takerBuyQuoteVolume: number,
  firstTradeId: v.nullable(count),
  lastTradeId: v.nullable(count),
  provenance: described(v.picklist(PROVENANCES), "of its worst minute; partial where a minute is missing"),
  minutes: described(count, "stored minutes it is made of"),
  missing: described(count, "minutes it lacks, as far as time has come"),
  closed: described(v.boolean(), "no later minute can change it"),
  commitSeq: described(count, "row number of its newest minute"),
});

const stretch = v.object({ fromOpenTime: time, toOpenTime: time });

export const CANDLES = v.object({
  now,
  symbol,
  timeframe: v.string(),
  heard: described(
    v.nullable(v.object(aged)),
    "the newest live candle of the symbol, heard by this bridge; null where none was",
  ),
  candles: described(bounded(bar, MOST.candles), "oldest first"),
  absent: described(
    bounded(stretch, MOST.candles),
    "stretches between two of them without any stored minute, as bars' openTimes",
  ),
  older: described(v.nullable(time), "`before` of the next older page; null where there is nothing older"),
});

export const GAPS = v.object({
  now,
  gaps: described(
    bounded(v.object({ gapSeq: count, symbol, fromOpenTime: time, toOpenTime: time, reason: v.string() }), MOST.gaps),
    "as they were recorded, newest first; both ends inclusive",
  ),
  older: described(v.nullable(count), "`before` of the next page; null where there is nothing older"),
});

export const HEALTHZ = v.object({ status: v.literal("ok"), version: v.string(), uptimeMs: number });

export const READYZ = v.object({
  ready: v.boolean(),
  reason: v.string(),
  dataAgeMs: described(v.nullable(number), "age of the freshest market data that any market-data node tells"),
});

export const ERROR = v.object({ error: described(v.string(), "what was expected and what was found, or why not") });
