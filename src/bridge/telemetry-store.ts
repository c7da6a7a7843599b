import type { Envelope } from "../core/wire.ts";
import {
  type Aged,
  type CandleEvent,
  type HealthEvent,
  type IndicatorsEvent,
  type LogsEvent,
  type MetricsEvent,
  type NodeView,
  type PositionsEvent,
  type Readiness,
  type ScanEvent,
  STALE_AFTER_MS,
  type TelemetryEvent,
} from "./contract.ts";
import { marketReadiness } from "./freshness.ts";
import { LogRing } from "./log-ring.ts";
import { type ParsedMessage, parseMessage } from "./message.ts";

export interface StoreLimits {
  /** Nodes remembered; at the bound the longest-silent one is dropped and counted. */
  readonly nodes: number;
  /** Symbols whose newest candle is remembered; at the bound the longest-silent one is dropped and counted. */
  readonly symbols: number;
  /** Log entries kept per node; the oldest leave first. */
  readonly logEntries: number;
}

export const STORE_LIMITS: StoreLimits = { nodes: 256, symbols: 5000, logEntries: 1000 };

/** What became of one message. `forgotten`: keys (see `keyOf`) of values that left at a bound. */
export type Ingested =
  | { readonly outcome: "accepted"; readonly event: TelemetryEvent | null; readonly forgotten: readonly string[] }
  | { readonly outcome: "malformed" | "repeated" | "foreign"; readonly reason: string };

/** The name a value is latest-wins under. */
export function keyOf(type: TelemetryEvent["type"], nodeOrSymbol: string): string {
  return `${type} ${nodeOrSymbol}`;
}

/**
 * The newest of everything heard: latest-wins per topic and node, a rolling log per node, the newest candle per symbol, each
 * with the time it was heard. A message whose epoch was replaced, or whose seq is not above its topic's last, is left out.
 * `now` is a clock that never jumps, in ms.
 */
export class TelemetryStore {
  readonly #now: () => number;
  readonly #limits: StoreLimits;
  /** Longest-silent first: a node heard again moves to the end. */
  readonly #nodes = new Map<string, NodeRecord>();
  /** Longest-silent first. */
  readonly #candles = new Map<string, CandleEvent>();
  #droppedNodes = 0;
  #droppedSymbols = 0;
  /** Messages that publishers numbered and that never came: dropped at a bound on the way, or sent while nobody was connected. */
  #missed = 0;

  constructor(now: () => number, limits: StoreLimits = STORE_LIMITS) {
    this.#now = now;
    this.#limits = limits;
  }

  get counters(): {
    readonly nodes: number;
    readonly symbols: number;
    readonly droppedNodes: number;
    readonly droppedSymbols: number;
    readonly missed: number;
  } {
    return {
      missed: this.#missed,
      nodes: this.#nodes.size,
      symbols: this.#candles.size,
      droppedNodes: this.#droppedNodes,
      droppedSymbols: this.#droppedSymbols,
    };
  }

  /** Takes one message; never throws, whatever it is. */
  ingest(topic: string, body: string): Ingested {
    const message = parseMessage(topic, body);
    if ("outcome" in message) return message;
    const forgotten: string[] = [];
    const node = this.#touch(message.body.node, forgotten);
    const admitted = node.admit(topic, message.body);
    if (typeof admitted === "string") return { outcome: "repeated", reason: admitted };
    this.#missed += admitted;
    node.heardAt = this.#now();
    const event = this.#keep(node, message, { topic, receivedAt: node.heardAt }, forgotten);
    return { outcome: "accepted", event, forgotten };
  }

  /** The whole log a node's newest `logs` event is part of. */
  wholeLog(event: LogsEvent): LogsEvent {
    return { ...event, entries: this.#nodes.get(event.node)?.log.entries ?? event.entries };
  }

  /** By name. */
  nodes(): readonly NodeView[] {
    const now = this.#now();
    return [...this.#nodes]
      .map(([name, record]) => viewOf(name, record, now))
      .sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** By symbol. A candle is stale when its publisher is: how old a minute may grow depends on the market's speed. */
  candles(): readonly Aged<CandleEvent>[] {
    const now = this.#now();
    return [...this.#candles.values()]
      .map((candle) => ({
        ...candle,
        ageMs: now - candle.receivedAt,
        stale: now - (this.#nodes.get(candle.node)?.heardAt ?? 0) > STALE_AFTER_MS,
      }))
      .sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  }

  readiness(): Readiness {
    const healths = [...this.#nodes.values()].map((record) => record.health).filter((health) => health !== null);
    return marketReadiness(healths, this.#now());
  }

  #touch(name: string, forgotten: string[]): NodeRecord {
    const known = this.#nodes.get(name);
    const record = known ?? new NodeRecord(this.#limits.logEntries, this.#now());
    this.#nodes.delete(name);
    if (!known && this.#nodes.size >= this.#limits.nodes) this.#dropLongestSilentNode(forgotten);
    this.#nodes.set(name, record);
    return record;
  }

  #dropLongestSilentNode(forgotten: string[]): void {
    const [name] = this.#nodes.keys();
    if (name === undefined) return;
    this.#nodes.delete(name);
    this.#droppedNodes++;
    for (const type of ["health", "metrics", "positions", "scan", "indicators", "logs"] as const)
      forgotten.push(keyOf(type, name));
  }

  #keep(
    node: NodeRecord,
    message: ParsedMessage,
    stamp: { readonly topic: string; readonly receivedAt: number },
    forgotten: string[],
  ): TelemetryEvent | null {
    switch (message.type) {
      case "health":
        node.health = { ...message.body, ...stamp };
        return { type: "health", data: node.health };
      case "metrics":
        node.metrics = { ...message.body, ...stamp };
        return { type: "metrics", data: node.metrics };
      case "positions":
        node.positions = { ...message.body, ...stamp };
        return { type: "positions", data: node.positions };
      case "scan":
        node.scan = { ...message.body, ...stamp };
        return { type: "scan", data: node.scan };
      case "indicators":
        node.indicators = { ...message.body, ...stamp };
        return { type: "indicators", data: node.indicators };
      case "logs": {
        const entries = node.log.merge(message.body.epoch, message.body.entries);
        node.logs = { ...message.body, ...stamp, entries };
        return entries.length > 0 ? { type: "logs", data: node.logs } : null;
      }
      case "candle": {
        const candle = { ...message.body, ...stamp };
        this.#candles.delete(candle.symbol);
        if (this.#candles.size >= this.#limits.symbols) this.#dropLongestSilentSymbol(forgotten);
        this.#candles.set(candle.symbol, candle);
        return { type: "candle", data: candle };
      }
    }
  }

  #dropLongestSilentSymbol(forgotten: string[]): void {
    const [symbol] = this.#candles.keys();
    if (symbol === undefined) return;
    this.#candles.delete(symbol);
    this.#droppedSymbols++;
    forgotten.push(keyOf("candle", symbol));
  }
}

/** At most this many topics of one node have their place remembered; beyond it the longest-silent one's is forgotten. */
const MAX_TOPICS_PER_NODE = 6000;

/** A topic's newest message. A node may have several publishers, each with its own epoch, so lives are told per topic. */
interface TopicPlace {
  readonly epoch: string;
  readonly seq: number;
  readonly endedEpoch: string | null;
}

class NodeRecord {
  heardAt: number;
  health: HealthEvent | null = null;
  metrics: MetricsEvent | null = null;
  positions: PositionsEvent | null = null;
  scan: ScanEvent | null = null;
  indicators: IndicatorsEvent | null = null;
  logs: LogsEvent | null = null;
  readonly log: LogRing;
  readonly #places = new Map<string, TopicPlace>();

  constructor(logEntries: number, heardAt: number) {
    this.log = new LogRing(logEntries);
    this.heardAt = heardAt;
  }

  /** How many messages before it were missed where this one is news; else why it is not. */
  admit(topic: string, { epoch, seq }: Envelope): number | string {
    const place = this.#places.get(topic);
    if (place?.endedEpoch === epoch) return "it is of a life of the publisher that has ended";
    if (place?.epoch === epoch && seq <= place.seq) return `seq ${seq} is not above ${place.seq}`;
    const endedEpoch = place && place.epoch !== epoch ? place.epoch : (place?.endedEpoch ?? null);
    this.#places.delete(topic);
    this.#places.set(topic, { epoch, seq, endedEpoch });
    if (this.#places.size > MAX_TOPICS_PER_NODE) {
      const [oldest] = this.#places.keys();
      if (oldest !== undefined) this.#places.delete(oldest);
    }
    return place?.epoch === epoch ? seq - place.seq - 1 : 0;
  }
}

function viewOf(node: string, record: NodeRecord, now: number): NodeView {
  const ageMs = now - record.heardAt;
  return {
    node,
    role: record.health?.role ?? record.metrics?.role ?? null,
    ageMs,
    stale: ageMs > STALE_AFTER_MS,
    health: aged(record.health, now),
    metrics: aged(record.metrics, now),
    positions: aged(record.positions, now),
    scan: aged(record.scan, now),
    indicators: record.indicators && {
      ...record.indicators,
      ageMs: now - record.indicators.receivedAt,
      stale: ageMs > STALE_AFTER_MS,
    },
    logs: record.logs ? aged({ ...record.logs, entries: record.log.entries }, now) : null,
  };
}

function aged<T extends { readonly receivedAt: number }>(value: T | null, now: number): Aged<T> | null {
  if (!value) return null;
  const ageMs = now - value.receivedAt;
  return { ...value, ageMs, stale: ageMs > STALE_AFTER_MS };
}
