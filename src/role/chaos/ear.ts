import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../bus/zmq-subscriber.ts";
import type { Log } from "../../core/env.ts";
import { type Frame, TOPICS } from "../../core/topic.ts";
import { type CandleBody, parseCandleBody, type RailState } from "../../core/wire.ts";
import { Discovery } from "../bridge/discovery.ts";

const SILENT: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
/** Candles remembered; beyond it the oldest are no longer compared (counted). */
const MAX_CANDLES = 500_000;

/** What one node said of itself last. */
export interface Told {
  readonly pid: number;
  readonly state: string;
  readonly reason: string | null;
  readonly atMs: number;
}

/** Hears everything: market-data over its own tcp port (no proxy between), every node's telemetry over the folder's sockets. */
export class Ear implements AsyncDisposable {
  readonly candles: CandleBody[] = [];
  /** The newest life of market-data that published candles, and per symbol the newest minute it published. */
  marketEpoch = "";
  readonly marketMinutes = new Map<string, number>();
  readonly health = new Map<string, Told>();
  /** Processes of which it was heard that they run. */
  readonly ran = new Set<number>();
  readonly rails = new Map<string, readonly RailState[]>();
  /** Held quantity by symbol, by runner, with when it was heard. */
  readonly positions = new Map<string, { readonly atMs: number; readonly quantities: ReadonlyMap<string, string> }>();
  forgotten = 0;
  #market: ZmqSubscriber | null = null;
  #telemetry: ZmqSubscriber | null = null;
  #discovery: Discovery | null = null;

  static async open(runFolder: string, marketPort: number): Promise<Ear> {
    const ear = new Ear();
    const deps = { backend: zmqBackend, clock: platform.clock, log: SILENT };
    ear.#market = await ZmqSubscriber.open(
      {
        endpoints: { connect: [`tcp://127.0.0.1:${marketPort}`] },
        filters: [{ prefix: TOPICS.candle }],
        onMessage: ({ body }) => ear.#onCandle(body),
      },
      deps,
    );
    ear.#telemetry = await ZmqSubscriber.open(
      { endpoints: {}, filters: [{ prefix: "telemetry." }], onMessage: (frame) => ear.#onTelemetry(frame) },
      deps,
    );
    ear.#discovery = new Discovery(runFolder, ear.#telemetry, { ...platform, log: SILENT });
    return ear;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#discovery?.close();
    await Promise.all([this.#market?.close(), this.#telemetry?.close()]);
  }

  #onCandle(text: string): void {
    const body = parseCandleBody(text);
    if (typeof body === "string") return;
    if (this.candles.length < MAX_CANDLES) this.candles.push(body);
    else this.forgotten++;
    if (body.epoch !== this.marketEpoch) {
      this.marketEpoch = body.epoch;
      this.marketMinutes.clear();
    }
    this.marketMinutes.set(body.symbol, body.openTime);
  }

  #onTelemetry({ topic, body: text }: Frame): void {
    const body = parsed(text);
    if (body === null || typeof body.node !== "string") return;
    const atMs = platform.clock.monotonicMs();
    if (topic.startsWith(TOPICS.health)) {
      const { pid, state, reason } = body as unknown as Told;
      this.health.set(body.node, { pid, state, reason, atMs });
      if (state === "running") this.ran.add(pid);
    } else if (topic === TOPICS.metrics) {
      this.rails.set(body.node, (body.rails ?? []) as readonly RailState[]);
    } else if (topic === TOPICS.positions) {
      const rows = (body.positions ?? []) as readonly { readonly symbol: string; readonly quantity: string }[];
      this.positions.set(body.node, { atMs, quantities: new Map(rows.map((row) => [row.symbol, row.quantity])) });
    }
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}
