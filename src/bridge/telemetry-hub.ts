import type { Clock, Log, Timers } from "../core/env.ts";
import {
  type BridgeEvent,
  type Readiness,
  STALE_AFTER_MS,
  type StreamRequest,
  type TelemetryEvent,
  type TelemetrySnapshot,
  type TelemetryView,
} from "./contract.ts";
import { SseHub } from "./sse-hub.ts";
import { HUB_LIMITS, HUB_TIMES, type HubLimits, type HubTimes } from "./sse-limits.ts";
import { keyOf, STORE_LIMITS, type StoreLimits, TelemetryStore } from "./telemetry-store.ts";

export interface TelemetryHubDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** This life of the bridge, in event ids: fresh at every start, without spaces or line breaks. */
  readonly epoch: string;
  readonly version: string;
  readonly storeLimits?: StoreLimits;
  readonly hubLimits?: HubLimits;
  readonly hubTimes?: HubTimes;
}

/** A kind of unusable message is logged at most this often. */
const COMPLAIN_EVERY_MS = 10_000;

/**
 * The bridge's memory and voice: messages in (`ingest`), a snapshot and SSE streams out. It holds no socket and no file: it
 * can change nothing outside itself.
 */
export class TelemetryHub implements TelemetryView {
  readonly #deps: TelemetryHubDeps;
  readonly #store: TelemetryStore;
  readonly #sse: SseHub;
  readonly #times: HubTimes;
  readonly #startedAtMs: number;
  readonly #now: () => number;
  readonly #counts = { accepted: 0, malformed: 0, repeated: 0, foreign: 0 };
  readonly #complainedAtMs = new Map<string, number>();

  constructor(deps: TelemetryHubDeps) {
    this.#deps = deps;
    this.#times = deps.hubTimes ?? HUB_TIMES;
    this.#now = steadyClock(deps.clock);
    this.#startedAtMs = this.#now();
    this.#store = new TelemetryStore(this.#now, deps.storeLimits ?? STORE_LIMITS);
    this.#sse = new SseHub({
      clock: deps.clock,
      timers: deps.timers,
      epoch: deps.epoch,
      greeting: () => ({ type: "bridge", data: this.#bridge() }),
      limits: deps.hubLimits ?? HUB_LIMITS,
      times: this.#times,
    });
  }

  /** Takes one message as it came from the wire: its topic and its JSON text. Never throws; what is unusable is counted. */
  ingest(topic: string, body: string): void {
    const result = this.#store.ingest(topic, body);
    this.#counts[result.outcome]++;
    if (result.outcome !== "accepted") {
      if (result.outcome === "malformed") this.#complain(topic, result.reason);
      return;
    }
    for (const key of result.forgotten) this.#sse.forget(key);
    if (result.event) this.#publish(result.event);
  }

  snapshot(): TelemetrySnapshot {
    return {
      bridge: this.#bridge(),
      lastEventId: this.#sse.lastEventId,
      nodes: this.#store.nodes(),
      candles: this.#store.candles(),
    };
  }

  readiness(): Readiness {
    return this.#store.readiness();
  }

  openStream(request: StreamRequest): ReadableStream<Uint8Array> | null {
    return this.#sse.connect(request);
  }

  /** Numbers by dotted name, as a metrics body's `values` takes them. */
  counters(): Readonly<Record<string, number>> {
    const { clients, slow, events, sends, conflated, cut, refused, resumed, resynced } = this.#sse.counters;
    const { nodes, symbols, droppedNodes, droppedSymbols, missed } = this.#store.counters;
    return {
      "bridge.clients": clients,
      "bridge.clients.slow": slow,
      "bridge.nodes": nodes,
      "bridge.symbols": symbols,
      "bridge.accepted.total": this.#counts.accepted,
      "bridge.malformed.total": this.#counts.malformed,
      "bridge.repeated.total": this.#counts.repeated,
      "bridge.missed.total": missed,
      "bridge.foreign.total": this.#counts.foreign,
      "bridge.events.total": events,
      "bridge.sends.total": sends,
      "bridge.conflated.total": conflated,
      "bridge.clients.cut.total": cut,
      "bridge.clients.refused.total": refused,
      "bridge.clients.resumed.total": resumed,
      "bridge.clients.resynced.total": resynced,
      "bridge.nodes.dropped.total": droppedNodes,
      "bridge.symbols.dropped.total": droppedSymbols,
    };
  }

  /** Ends every stream in order, what waits is sent first; resolves within a moment. Idempotent. */
  close(): Promise<void> {
    return this.#sse.close();
  }

  #publish(event: TelemetryEvent): void {
    const { type, data } = event;
    const subject = type === "candle" ? data.symbol : data.node;
    this.#sse.publish({
      type,
      key: keyOf(type, subject),
      subject,
      data,
      ...(type === "logs" ? { whole: () => this.#store.wholeLog(data) } : {}),
    });
  }

  #bridge(): BridgeEvent {
    const { ready, reason } = this.#store.readiness();
    const now = this.#now();
    return {
      epoch: this.#deps.epoch,
      version: this.#deps.version,
      now,
      uptimeMs: now - this.#startedAtMs,
      staleAfterMs: STALE_AFTER_MS,
      heartbeatMs: this.#times.heartbeatMs,
      ready,
      readyReason: reason,
      nodes: this.#store.counters.nodes,
      clients: this.#sse.counters.clients,
    };
  }

  /** Kinds are few (a topic's first two parts), so the map stays small. */
  #complain(topic: string, reason: string): void {
    const kind = topic.startsWith("market.") ? "market" : topic.split(".").slice(0, 2).join(".");
    const now = this.#now();
    if (now - (this.#complainedAtMs.get(kind) ?? -Infinity) < COMPLAIN_EVERY_MS) return;
    this.#complainedAtMs.set(kind, now);
    this.#deps.log.warn("Skipped a malformed message", {
      topic: topic.slice(0, 80),
      reason,
      malformed: this.#counts.malformed,
    });
  }
}

/** Wall time at its first moment, monotonic from there: ages stay right when the system clock is set. */
function steadyClock(clock: Clock): () => number {
  const originMs = clock.nowMs() - clock.monotonicMs();
  return () => Math.round(originMs + clock.monotonicMs());
}
