import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../../src/bus/zmq-subscriber.ts";
import type { MetricsBody } from "../../../src/core/wire.ts";
import { dataFolder } from "../../../src/role/lifecycle/data-folder.ts";
import type { StoreView } from "../../../src/store/contract.ts";
import { openStoreReader } from "../../../src/store/reader.ts";
import { newestOpenTime, SYMBOLS, symbolAt } from "../../bench/growth-shape.ts";
import { journalFacts } from "../../slow/support-kill.ts";
import { freePort } from "../../slow/support-up.ts";
import { eventually } from "../../support/eventually.ts";
import { type Running, start } from "../../support/fabric.ts";
import { tempFolder } from "../../support/temp-folder.ts";

/** From the kill (and the start that follows it at once) to being where it would be had nobody killed it. */
export interface CatchUp {
  readonly role: string;
  readonly ms: number;
}

const SPEED = 60;
const WITHIN_MS = 60_000;
const GROWTH_STEP = join(import.meta.dir, "../../bench/growth-step.ts");
const RUNNER = "sma-cross";
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Kills each role of a market of 100 symbols with so many days of history, in turn, and waits until it has caught up. */
export async function measureCatchUp(days: number, rounds: number): Promise<readonly CatchUp[]> {
  using folder = tempFolder();
  const data = folder.join("data");
  await build(data, days);
  await using market = new Market(data, days);
  await market.open();
  const taken: CatchUp[] = [];
  for (let round = 0; round < rounds; round++)
    for (const role of market.roles) taken.push({ role, ms: await market.killAndCatchUp(role) });
  return taken;
}

/** The growth benchmark's store, made one of the venue that the simulated exchange speaks for. */
async function build(data: string, days: number): Promise<void> {
  platform.files.makeFolder(data);
  const child = Bun.spawn([process.execPath, GROWTH_STEP, "build", data, `${days}`], {
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await child.exited) !== 0) throw new Error(`The store of ${days} days could not be built`);
  const instance = await DuckDBInstance.create(join(data, "market.duckdb"));
  const connection = await instance.connect();
  await connection.run("UPDATE meta SET venue = 'binance-spot'");
  connection.closeSync();
  instance.closeSync();
}

class Market implements AsyncDisposable {
  readonly #data: string;
  readonly #reader: ReturnType<typeof openStoreReader>;
  readonly #bridgePort = freePort();
  readonly #commands: ReadonlyMap<string, readonly string[]>;
  readonly #running = new Map<string, Running>();
  readonly #metrics = new Map<string, MetricsBody>();
  #subscriber: ZmqSubscriber | null = null;
  /** What was published and decided at the newest kill: who is back has gone beyond it. */
  #before = { published: 0, decided: 0 };

  constructor(data: string, days: number) {
    this.#data = data;
    this.#reader = openStoreReader({ folder: data }, platform);
    const symbols = ["--symbols", Array.from({ length: SYMBOLS }, (_, nth) => symbolAt(nth)).join(",")];
    const from = new Date(newestOpenTime(days) + 60_000).toISOString();
    this.#commands = new Map([
      ["sim", ["sim", "--seed", "7", "--speed", `${SPEED}`, "--start", from, ...symbols]],
      ["market-data", ["market-data", "--feed", "sim", ...symbols]],
      ["runner", ["runner", "--strategy", RUNNER]],
      ["scanner", ["scanner"]],
      ["bridge", ["bridge", "--port", `${this.#bridgePort}`]],
    ]);
  }

  get roles(): readonly string[] {
    return [...this.#commands.keys()];
  }

  async open(): Promise<void> {
    this.#subscriber = await ZmqSubscriber.open(
      {
        endpoints: { connect: [dataFolder(this.#data).ipcEndpoint("scanner")] },
        filters: [{ topic: "telemetry.metrics" }],
        onMessage: ({ body }) => {
          const metrics = JSON.parse(body) as MetricsBody;
          this.#metrics.set(metrics.node, metrics);
        },
      },
      { backend: zmqBackend, clock: platform.clock, log: silent },
    );
    for (const role of this.roles) this.#start(role);
    for (const role of this.roles) await eventually(() => this.#isThere(role), WITHIN_MS, `${role} to be there`);
  }

  async killAndCatchUp(role: string): Promise<number> {
    const running = this.#running.get(role);
    running?.process.kill("SIGKILL");
    this.#metrics.clear();
    const killedMs = performance.now();
    await running?.process.exited;
    const { throughSeq = 0 } = (await this.#reader.view()) ?? {};
    this.#before = { published: throughSeq, decided: journalFacts(this.#data, RUNNER).throughSeq };
    this.#start(role);
    await eventually(
      () => this.#isThere(role),
      WITHIN_MS,
      `${role} to catch up; it said ${this.#running.get(role)?.err()}`,
    );
    const tookMs = performance.now() - killedMs;
    for (const each of this.roles) await eventually(() => this.#isThere(each), WITHIN_MS, `${each} to be well`);
    return tookMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running.values()) await running[Symbol.asyncDispose]();
    await this.#subscriber?.close();
    await this.#reader.close();
  }

  #start(role: string): void {
    this.#running.set(role, start([...(this.#commands.get(role) ?? []), "--data", this.#data]));
  }

  /** Where it would be had nobody killed it, within one close of every symbol. */
  async #isThere(role: string): Promise<boolean> {
    const view = await this.#reader.view();
    if (!view || this.#running.get(role)?.process.exitCode !== null) return false;
    const through = view.throughSeq - SYMBOLS;
    switch (role) {
      case "sim":
      case "market-data":
        return view.throughSeq > this.#before.published && this.#isCurrent(view);
      case "runner":
        return journalFacts(this.#data, RUNNER).throughSeq >= Math.max(through, this.#before.decided + 1);
      case "scanner":
        return (this.#metrics.get("scanner")?.values["cursor.throughSeq"] ?? 0) >= through;
      default:
        return (await fetch(`http://127.0.0.1:${this.#bridgePort}/readyz`)).ok;
    }
  }

  /** The newest minute but one that has closed at the exchange, by the clock that the exchange keeps on disk. */
  #isCurrent(view: StoreView): boolean {
    const kept = JSON.parse(readFileSync(join(this.#data, "sim.json"), "utf8"));
    const { speed, anchorExchangeMs, anchorWallMs } = kept as Readonly<Record<string, number>>;
    const now = Number(anchorExchangeMs) + (Date.now() - Number(anchorWallMs)) * Number(speed);
    return view.closedThrough !== null && view.closedThrough >= Math.floor(now / 60_000) * 60_000 - 120_000;
  }
}
