import { HEALTH_SCHEMA, METRICS_SCHEMA, parseBody } from "../../bridge/body-schemas.ts";
import { type LatestEntry, LatestStore } from "../../bus/latest-store.ts";
import type { Clock } from "../../core/env.ts";
import { type Frame, TOPICS } from "../../core/topic.ts";
import { type HealthBody, type MetricsBody, parseEnvelope } from "../../core/wire.ts";

/** Nodes held; beyond it the one that was heard longest ago goes. */
const MAX_NODES = 500;

/** A node's newest metrics, and what two of them tell together. */
export interface MetricsNews {
  readonly body: MetricsBody;
  /** Messages published per second between this snapshot and the one before; null after the first of an epoch. */
  readonly sentPerSecond: number | null;
}

/** Topics that `ingest` understands, as a subscriber's filters. */
export const TELEMETRY_FILTERS = [{ prefix: TOPICS.health }, { topic: TOPICS.metrics }] as const;

/** The newest health and metrics per node, at most 500 nodes. What does not fit its schema is counted and skipped. */
export class TelemetryView {
  readonly #healths: LatestStore<HealthBody>;
  readonly #metrics: LatestStore<MetricsNews>;
  #malformed = 0;

  constructor(clock: Clock) {
    this.#healths = new LatestStore(MAX_NODES, clock);
    this.#metrics = new LatestStore(MAX_NODES, clock);
  }

  get malformed(): number {
    return this.#malformed;
  }

  ingest(frame: Frame): void {
    const envelope = parseEnvelope(frame.body);
    const taken =
      typeof envelope !== "string" &&
      (frame.topic === TOPICS.metrics ? this.#takeMetrics(envelope) : this.#takeHealth(frame.topic, envelope));
    if (!taken) this.#malformed++;
  }

  /** Longest ago heard first. */
  healths(): readonly LatestEntry<HealthBody>[] {
    return this.#healths.entries();
  }

  health(node: string): LatestEntry<HealthBody> | undefined {
    return this.#healths.get(TOPICS.health, node);
  }

  metrics(node: string): LatestEntry<MetricsNews> | undefined {
    return this.#metrics.get(TOPICS.metrics, node);
  }

  ageMs(entry: LatestEntry<HealthBody>): number {
    return this.#healths.ageMs(entry);
  }

  #takeHealth(topic: string, envelope: object): boolean {
    const body = parseBody(HEALTH_SCHEMA, envelope);
    if ("problem" in body || topic !== TOPICS.health + body.node) return false;
    this.#healths.put(TOPICS.health, body.node, body);
    return true;
  }

  #takeMetrics(envelope: object): boolean {
    const body = parseBody(METRICS_SCHEMA, envelope);
    if ("problem" in body) return false;
    const before = this.metrics(body.node)?.value;
    this.#metrics.put(TOPICS.metrics, body.node, { body, sentPerSecond: rateOf(before, body) });
    return true;
  }
}

const SENT = "publish.sent.total";

function rateOf(before: MetricsNews | undefined, body: MetricsBody): number | null {
  const sent = body.values[SENT];
  const earlier = before?.body.values[SENT];
  if (before === undefined || sent === undefined || earlier === undefined) return null;
  // The same snapshot may arrive twice, over two endpoints: what was known of it stays.
  if (before.body.epoch === body.epoch && before.body.seq === body.seq) return before.sentPerSecond;
  const elapsedMs = body.sentAt - before.body.sentAt;
  if (before.body.epoch !== body.epoch || !(elapsedMs > 0)) return null;
  return Math.max(0, Math.round(((sent - earlier) / elapsedMs) * 10_000) / 10);
}
