import type {
  BridgeEvent,
  CandleEvent,
  HealthEvent,
  IndicatorsEvent,
  MetricsEvent,
  PositionsEvent,
  ScanEvent,
  TelemetryEvent,
} from "../contract.ts";
import { LogStore } from "./log-store.ts";
import { MetricHistory } from "./metric-history.ts";

const MAX_NODES = 256;
const MAX_SYMBOLS = 5000;
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
  indicators: IndicatorsEvent | null;
}

export interface Market {
  readonly candle: CandleEvent;
  /** The newest closes as this page heard them, oldest first. */
  readonly closes: readonly number[];
}

/**
 * What the page knows: latest-wins, with bounds of its own (the longest-silent leaves first). It touches no browser object, so
 * it is tested without one. Times are on the bridge's clock.
 */
export class Model {
  /** Longest-silent first. */
  readonly nodes = new Map<string, NodeModel>();
  readonly markets = new Map<string, Market>();
  readonly logs = new LogStore();
  readonly history = new MetricHistory();
  bridge: BridgeEvent | null = null;
  /** The newest candle's minute: the exchange's time, which need not be ours. */
  marketTime: number | null = null;
  /** In order; null until asked for again. */
  #symbols: readonly string[] | null = null;

  setBridge(bridge: BridgeEvent): void {
    if (this.bridge !== null && this.bridge.epoch !== bridge.epoch) this.logs.clear();
    this.bridge = bridge;
  }

  /** Forgets what it was told; a whole snapshot follows. What was drawn over time stays. */
  resync(): void {
    this.nodes.clear();
    this.markets.clear();
    this.marketTime = null;
    this.#symbols = null;
    this.logs.clear();
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
        this.history.add(event.data, node.earlierMetrics);
        break;
      case "positions":
        node.positions = event.data;
        break;
      case "scan":
        node.scan = event.data;
        break;
      case "indicators":
        node.indicators = event.data;
        break;
      case "candle":
        this.#applyCandle(event.data);
        break;
      case "logs":
        this.logs.add(event.data);
        break;
    }
  }

  /** By role, then name: the order in which data flows. */
  sortedNodes(): readonly NodeModel[] {
    const order = ["sim", "market-data", "runner", "scanner", "bridge"];
    const rank = (node: NodeModel) => order.indexOf(node.health?.role ?? node.metrics?.role ?? "bridge");
    return [...this.nodes.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  }

  /** Nodes that trade, by name. */
  runners(): readonly NodeModel[] {
    return this.sortedNodes().filter((node) => node.positions !== null || node.health?.role === "runner");
  }

  symbols(): readonly string[] {
    this.#symbols ??= [...this.markets.keys()].sort();
    return this.#symbols;
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
      indicators: null,
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
    this.marketTime = Math.max(this.marketTime ?? candle.openTime, candle.openTime);
    this.markets.delete(candle.symbol);
    this.markets.set(candle.symbol, { candle, closes });
    dropOldest(this.markets, MAX_SYMBOLS);
    if (!known) this.#symbols = null;
  }
}

function dropOldest<K, V>(map: Map<K, V>, bound: number): void {
  if (map.size <= bound) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
