import { Database } from "bun:sqlite";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import type { MetricsBody } from "../../src/core/wire.ts";
import { dataFolder } from "../../src/role/lifecycle/data-folder.ts";
import type { PubSocket } from "../../src/zmq/contract.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, type Running, start } from "../support/fabric.ts";
import {
  againstTruth,
  againstUndisturbed,
  BUSY_STRATEGY,
  journalFacts,
  publishedThrough,
  rowsOf,
  storeRows,
} from "./support-kill.ts";
import { freePort } from "./support-up.ts";

export type Role = "sim" | "market-data" | "runner" | "scanner" | "bridge";

export const SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
const SPEED = 60;
const BACK_WITHIN_MS = 20_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** What came of it all, measured against a market and a runner that nobody disturbed. Every list is empty where all is well. */
export interface Verdict {
  /** The store against the exchange's own candles: each minute once, none missing, every figure right. */
  readonly candles: readonly string[];
  /** The journal against an undisturbed run over the same store: decisions, fills, digests, state. */
  readonly decisions: readonly string[];
  /** Order ids, or fills, that are there twice. */
  readonly twice: readonly string[];
  /** What verifying the store and the journal's file finds. */
  readonly corruption: readonly string[];
}

export const ALL_WELL: Verdict = { candles: [], decisions: [], twice: [], corruption: [] };

/** A market, a runner that trades on nearly every candle, and a dashboard: each a process of its own on one data folder. */
export class House implements AsyncDisposable {
  readonly data: string;
  readonly marketPort = freePort();
  readonly bridgePort = freePort();
  /** Where the runner hears the market; market-data's own address unless told otherwise. */
  runnerHears = `tcp://127.0.0.1:${this.marketPort}`;
  readonly #seed: number;
  readonly #strategy: string;
  readonly #running = new Map<Role, Running>();

  constructor(folder: { join(...parts: string[]): string }, seed: number) {
    this.data = folder.join("data");
    this.#seed = seed;
    this.#strategy = folder.join("busy.ts");
    writeFileSync(this.#strategy, BUSY_STRATEGY);
  }

  /** Starts these, and the market first; resolves when the runner, where it is among them, has decided on every symbol. */
  async open(...roles: readonly Role[]): Promise<void> {
    for (const role of ["sim", "market-data", ...roles] as const) this.start(role);
    if (roles.includes("runner"))
      await eventually(() => journalFacts(this.data, "busy").cursors.length === SYMBOLS.length, BACK_WITHIN_MS);
  }

  start(role: Role): Running {
    const symbols = ["--symbols", SYMBOLS.join(",")];
    const own: Readonly<Record<Role, readonly string[]>> = {
      sim: ["--seed", `${this.#seed}`, "--speed", `${SPEED}`, ...symbols],
      "market-data": ["--feed", "sim", "--publish", `tcp://127.0.0.1:${this.marketPort}`, ...symbols],
      runner: ["--strategy", this.#strategy, "--name", "busy", "--market", this.runnerHears, ...symbols],
      scanner: [],
      bridge: ["--port", `${this.bridgePort}`],
    };
    const running = start([role, ...own[role], "--data", this.data]);
    this.#running.set(role, running);
    return running;
  }

  /** kill -9, and nothing left of it when this resolves. */
  async kill(role: Role): Promise<void> {
    const running = this.#running.get(role);
    this.#running.delete(role);
    if (!running || running.process.exitCode !== null)
      throw new Error(`${role} had ended by itself: ${running?.err()}`);
    running.process.kill("SIGKILL");
    await running.process.exited;
  }

  /** Orderly, all of them, whoever reads before whoever writes. */
  async stop(): Promise<void> {
    for (const role of ["bridge", "scanner", "runner", "market-data", "sim"] as const) {
      const running = this.#running.get(role);
      this.#running.delete(role);
      const code = await running?.stop();
      if (running && code !== 0) throw new Error(`${role} ended with ${code}: ${running.err()}`);
    }
  }

  /** The newest row that the runner has decided on. */
  decided(): number {
    return journalFacts(this.data, "busy").throughSeq;
  }

  published(): Promise<number> {
    return publishedThrough(this.data);
  }

  /** Waits until the runner has decided on so many rows more than now. */
  async trades(rows: number): Promise<void> {
    const from = this.decided();
    await eventually(() => this.decided() >= from + rows, BACK_WITHIN_MS, `${rows} more rows to be decided on`);
  }

  /** Waits until so many rows more than now are published. */
  async publishes(rows: number): Promise<void> {
    const from = await this.published();
    await eventually(
      async () => (await this.published()) >= from + rows,
      BACK_WITHIN_MS,
      `${rows} more rows published`,
    );
  }

  /** Waits until the runner stands where the store stood when this was called. */
  async catchesUp(): Promise<void> {
    const through = await this.published();
    await eventually(() => this.decided() >= through, BACK_WITHIN_MS, `the runner to have decided on row ${through}`);
  }

  /** The runner's figures as it tells them, heard afresh. */
  async runnerMetrics(): Promise<MetricsBody> {
    let heard: MetricsBody | null = null;
    await using _subscriber = await ZmqSubscriber.open(
      {
        endpoints: { connect: [dataFolder(this.data).ipcEndpoint("busy")] },
        filters: [{ topic: "telemetry.metrics" }],
        onMessage: ({ body }) => {
          heard = JSON.parse(body) as MetricsBody;
        },
      },
      { backend: zmqBackend, clock: platform.clock, log: silent },
    );
    // Awaited here, because what follows the return closes the subscriber.
    return await eventually(() => heard, 5000, "the runner's metrics");
  }

  /** The snapshot that the bridge shows. */
  async snapshot(): Promise<{ readonly bridge: { readonly clients: number }; readonly nodes: readonly NodeShown[] }> {
    const url = `http://127.0.0.1:${this.bridgePort}/api/telemetry/snapshot`;
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).json() as ReturnType<House["snapshot"]>;
  }

  /** Stops everything and judges what is on disk. */
  async verdict(): Promise<Verdict> {
    await this.stop();
    const { rows } = await storeRows(this.data);
    const orders = await rowsOf(["orders", "--json", "--data", this.data]);
    const ids = orders.map((order) => `${order.clientOrderId}`);
    return {
      candles: await againstTruth(rows, this.#seed),
      decisions: await againstUndisturbed(this.data, "busy", this.#strategy, rows),
      twice: [...twiceIn(ids), ...twiceIn(this.#fills())],
      corruption: await this.#corruption(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running.values()) await running[Symbol.asyncDispose]();
  }

  #fills(): readonly string[] {
    const rows = this.#journal("SELECT client_order_id AS id, quantity FROM fill");
    return rows.map(({ id }) => `a fill of ${id}`);
  }

  #journal(sql: string): readonly Record<string, unknown>[] {
    const journal = new Database(join(this.data, "journal/busy.sqlite"), { readonly: true });
    try {
      return journal.query(sql).all() as Record<string, unknown>[];
    } finally {
      journal.close();
    }
  }

  async #corruption(): Promise<readonly string[]> {
    const { code, out } = await fabric(["data", "verify", "--json", "--data", this.data]);
    const [{ integrity_check: found } = {}] = this.#journal("PRAGMA integrity_check");
    return [
      ...(code === 0 ? [] : [`data verify gave ${code}: ${out}`]),
      ...(found === "ok" ? [] : [`journal: ${found}`]),
    ];
  }
}

interface NodeShown {
  readonly node: string;
  readonly stale: boolean;
  readonly health: { readonly pid: number } | null;
}

function twiceIn(ids: readonly string[]): readonly string[] {
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}

/** Stands between a publisher and whoever listens to the relay instead, and does to the messages as told. */
export class Relay implements AsyncDisposable {
  readonly address: string;
  /** Gives the frames to be sent on in place of those that came together. */
  mangle: (frames: readonly string[]) => readonly string[] = (frames) => frames;
  readonly #publisher: PubSocket;
  #subscriber: ZmqSubscriber | null = null;

  private constructor() {
    const endpoints = [{ address: "tcp://127.0.0.1:0", how: "bind" }] as const;
    this.#publisher = zmqBackend.openPublisher({ endpoints, sendHighWaterMark: 10_000 });
    this.address = this.#publisher.endpoints[0] ?? "";
  }

  static async open(source: string): Promise<Relay> {
    const relay = new Relay();
    relay.#subscriber = await ZmqSubscriber.open(
      {
        endpoints: { connect: [source] },
        filters: [{ prefix: "" }],
        reconnectMs: 50,
        reconnectMaxMs: 50,
        onMessages: (messages) => relay.send(messages.map(({ topic, body }) => `${topic} ${body}`)),
      },
      { backend: zmqBackend, clock: platform.clock, log: silent },
    );
    return relay;
  }

  send(frames: readonly string[]): void {
    for (const frame of this.mangle(frames)) this.#publisher.send(frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subscriber?.close();
    this.#publisher.close();
  }
}
