import type {
  BridgeEvent,
  CandleEvent,
  HealthEvent,
  LogsEvent,
  MetricsEvent,
  NumberedEntry,
  PositionsEvent,
  ScanEvent,
  TelemetryEvent,
} from "../contract.ts";

const MAX_NODES = 256;
const MAX_SYMBOLS = 5000;
const MAX_LOG_LINES = 2000;
const MAX_CLOSES = 48;

export interface NodeModel {
  readonly name: string;
  heardAt: number;
  health: HealthEvent | null;
  metrics: MetricsEvent | null;
  /** The snapshot before `metrics`: rates come from the difference. */
  earlierMetrics: MetricsEvent | null;
  positions: PositionsEvent | null;
  scan: ScanEvent | null;
}

export interface Market {
  readonly candle: CandleEvent;
  /** The newest closes as this page heard them, oldest first. */
  readonly closes: readonly number[];
}

export interface LogLine extends NumberedEntry {
  readonly node: string;
}

/**
 * What the page knows: latest-wins, with bounds of its own (the longest-silent leaves first). It touches no browser object, so
 * it is tested without one. Times are on the bridge's clock.
 */
export class Model {
  /** Longest-silent first. */
  readonly nodes = new Map<string, NodeModel>();
  readonly markets = new Map<string, Market>();
  /** Oldest first. */
  logs: readonly LogLine[] = [];
  bridge: BridgeEvent | null = null;
  readonly #loggedThrough = new Map<string, number>();

  /** Another life of the bridge numbers log entries anew. */
  setBridge(bridge: BridgeEvent): void {
    if (this.bridge !== null && this.bridge.epoch !== bridge.epoch) {
      this.#loggedThrough.clear();
      this.logs = [];
    }
    this.bridge = bridge;
  }

  apply(event: TelemetryEvent): void {
    const node = this.#touch(event.data.node, event.data.receivedAt);
    switch (event.type) {
      case "health":
        node.health = event.data;
        break;
      case "metrics":
        node.earlierMetrics = node.metrics?.epoch === event.data.epoch ? node.metrics : null;
        node.metrics = event.data;
        break;
      case "positions":
        node.positions = event.data;
        break;
      case "scan":
        node.scan = event.data;
        break;
      case "candle":
        this.#applyCandle(event.data);
        break;
      case "logs":
        this.#applyLogs(event.data);
        break;
    }
  }

  /** By role, then name: the order in which data flows. */
  sortedNodes(): readonly NodeModel[] {
    const order = ["sim", "market-data", "runner", "scanner", "bridge"];
    const rank = (node: NodeModel) => order.indexOf(node.health?.role ?? node.metrics?.role ?? "bridge");
    return [...this.nodes.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  }

  symbols(): readonly string[] {
    return [...this.markets.keys()].sort();
  }

  #touch(name: string, heardAt: number): NodeModel {
    const node = this.nodes.get(name) ?? {
      name,
      heardAt,
      health: null,
      metrics: null,
      earlierMetrics: null,
      positions: null,
      scan: null,
    };
    node.heardAt = Math.max(node.heardAt, heardAt);
    this.nodes.delete(name);
    this.nodes.set(name, node);
    dropOldest(this.nodes, MAX_NODES);
    return node;
  }

  #applyCandle(candle: CandleEvent): void {
    const known = this.markets.get(candle.symbol);
    const repeat = known?.candle.openTime === candle.openTime && known.candle.storeId === candle.storeId;
    const closes = repeat ? known.closes : [...(known?.closes ?? []), candle.close].slice(-MAX_CLOSES);
    this.markets.delete(candle.symbol);
    this.markets.set(candle.symbol, { candle, closes });
    dropOldest(this.markets, MAX_SYMBOLS);
  }

  #applyLogs(event: LogsEvent): void {
    const through = this.#loggedThrough.get(event.node) ?? 0;
    const fresh = event.entries.filter((entry) => entry.n > through).map((entry) => ({ ...entry, node: event.node }));
    const last = fresh.at(-1);
    if (!last) return;
    this.#loggedThrough.set(event.node, last.n);
    dropOldest(this.#loggedThrough, MAX_NODES);
    const lines = [...this.logs, ...fresh];
    const inOrder = (fresh[0]?.at ?? 0) >= (this.logs.at(-1)?.at ?? 0);
    if (!inOrder) lines.sort((a, b) => a.at - b.at);
    this.logs = lines.slice(-MAX_LOG_LINES);
  }
}

function dropOldest<K, V>(map: Map<K, V>, bound: number): void {
  if (map.size <= bound) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
