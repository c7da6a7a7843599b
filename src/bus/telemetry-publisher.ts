import type { Clock, Log, Timer, Timers } from "../core/env.ts";
import { messageOf } from "../core/errors.ts";
import { TOPICS } from "../core/topic.ts";
import type { HealthBody, IndicatorsBody, MetricsBody, PositionsBody, ScanBody } from "../core/wire.ts";
import type { LogRing } from "./log-ring.ts";
import type { BodyFields } from "./message-publisher.ts";
import { RateLimitedLog } from "./rate-limited-log.ts";

/** Where the snapshots come from; each is called on its timer and gives a whole snapshot, never a delta. */
export interface TelemetrySuppliers {
  health(): BodyFields<HealthBody>;
  metrics(): BodyFields<MetricsBody>;
  positions?(): BodyFields<PositionsBody>;
  scan?(): BodyFields<ScanBody>;
  readonly indicators?: IndicatorSupplier;
  readonly logs: LogRing;
}

/** Tables that change seldom and are large: sent where `version` differs from the last one sent, and now and then all the same. */
export interface IndicatorSupplier {
  version(): number;
  snapshot(): BodyFields<IndicatorsBody>;
}

/** Ms between snapshots, each 1 or more. */
export interface TelemetryPeriods {
  readonly healthMs: number;
  readonly metricsMs: number;
  readonly positionsMs: number;
  readonly scanMs: number;
  /** Indicators are looked at so often, and published where something is new or nothing was for ten looks. */
  readonly indicatorsMs: number;
  /** Logs are looked at so often, and published where something is new or nothing was for twenty looks. */
  readonly logsMs: number;
}

export interface TelemetryOptions {
  readonly node: string;
  readonly periods?: Partial<TelemetryPeriods>;
}

export interface TelemetryDeps {
  /** A MessagePublisher, or what stands for one. */
  readonly publisher: { publish(topic: string, fields: object): void };
  readonly timers: Timers;
  readonly clock: Clock;
  readonly log: Log;
}

const DEFAULT_PERIODS: TelemetryPeriods = {
  healthMs: 1000,
  metricsMs: 1000,
  positionsMs: 1000,
  scanMs: 1000,
  indicatorsMs: 1000,
  logsMs: 500,
};

/** Unchanged indicators are sent again after so many looks, for those who came late. */
const INDICATOR_LOOKS = 10;

/** So are unchanged logs: a bridge that is started anew would show nothing of a node until that one logs again. */
const LOG_LOOKS = 20;

/** A node's telemetry, on timers. A supplier (or publisher) that throws is counted and logged; nothing here throws. */
export class TelemetryPublisher implements Disposable {
  readonly #deps: TelemetryDeps;
  readonly #suppliers: TelemetrySuppliers;
  readonly #node: string;
  readonly #trouble: RateLimitedLog;
  readonly #timers: readonly Timer[];
  #indicatorsSent: number | null = null;
  #indicatorLooks = 0;
  #logLooks = 0;
  #supplierErrors = 0;
  #published = 0;

  /** Publishes everything once, then each on its timer until `close`. */
  constructor(options: TelemetryOptions, suppliers: TelemetrySuppliers, deps: TelemetryDeps) {
    this.#deps = deps;
    this.#suppliers = suppliers;
    this.#node = options.node;
    this.#trouble = new RateLimitedLog(deps.log, deps.clock);
    const periods = { ...DEFAULT_PERIODS, ...options.periods };
    this.publishAll();
    this.#timers = [
      deps.timers.every(periods.healthMs, () => this.#publishHealth()),
      deps.timers.every(periods.metricsMs, () => this.#publishMetrics()),
      deps.timers.every(periods.positionsMs, () => this.#publishPositions()),
      deps.timers.every(periods.scanMs, () => this.#publishScan()),
      ...(suppliers.indicators
        ? [deps.timers.every(periods.indicatorsMs, () => this.#publishIndicators("where new"))]
        : []),
      deps.timers.every(periods.logsMs, () => this.#publishLogs()),
    ];
  }

  /** Snapshots handed to the publisher since the start. */
  get published(): number {
    return this.#published;
  }

  /** Suppliers (or publishers) that threw since the start. */
  get supplierErrors(): number {
    return this.#supplierErrors;
  }

  /** One whole round now, for example after a change of state or before stopping. */
  publishAll(): void {
    this.#publishHealth();
    this.#publishMetrics();
    this.#publishPositions();
    this.#publishScan();
    this.#publishIndicators("now");
    this.#publishLogs();
  }

  /** Stops the timers; publishes nothing more. Idempotent. */
  close(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #publishHealth(): void {
    this.#publish(TOPICS.health + this.#node, () => this.#suppliers.health());
  }

  #publishMetrics(): void {
    this.#publish(TOPICS.metrics, () => this.#suppliers.metrics());
  }

  #publishPositions(): void {
    if (this.#suppliers.positions) this.#publish(TOPICS.positions, () => this.#suppliers.positions?.());
  }

  #publishScan(): void {
    if (this.#suppliers.scan) this.#publish(TOPICS.scan + this.#node, () => this.#suppliers.scan?.());
  }

  #publishIndicators(when: "now" | "where new"): void {
    const { indicators } = this.#suppliers;
    if (!indicators) return;
    this.#publish(TOPICS.indicators + this.#node, () => {
      const version = indicators.version();
      this.#indicatorLooks++;
      const isDue = version !== this.#indicatorsSent || this.#indicatorLooks >= INDICATOR_LOOKS;
      if (when === "where new" && !isDue) return undefined;
      this.#indicatorLooks = 0;
      this.#indicatorsSent = version;
      return indicators.snapshot();
    });
  }

  #publishLogs(): void {
    const { logs } = this.#suppliers;
    this.#logLooks++;
    const isDue = this.#logLooks >= LOG_LOOKS && !logs.isEmpty;
    if (!logs.hasNew && !isDue) return;
    this.#logLooks = 0;
    this.#publish(TOPICS.logs + this.#node, () => logs.snapshot());
  }

  #publish(topic: string, snapshot: () => object | undefined): void {
    try {
      const fields = snapshot();
      if (!fields) return;
      this.#deps.publisher.publish(topic, fields);
      this.#published++;
    } catch (error) {
      this.#supplierErrors++;
      this.#trouble.warn(topic, `Skipped a telemetry snapshot on ${topic}: ${messageOf(error)}`);
    }
  }
}
