import { platform } from "#platform";
import { LogRing } from "../../bus/log-ring.ts";
import { type BodyFields, MessagePublisher } from "../../bus/message-publisher.ts";
import { type IndicatorSupplier, TelemetryPublisher } from "../../bus/telemetry-publisher.ts";
import type { ZmqPublisher } from "../../bus/zmq-publisher.ts";
import type { ExecutionMode } from "../../core/decision.ts";
import type { Log } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import type { NodeName } from "../../core/symbol.ts";
import type { HealthBody, MetricsBody, NodeRole, NodeState, PositionsBody, ScanBody } from "../../core/wire.ts";
import { declareRole } from "../../store/guard.ts";
import { wallSkewMs } from "../platform/clock.ts";
import { VERSION } from "../version.ts";
import { readAdvertisement, withdraw } from "./advertisement.ts";
import type { DataFolder } from "./data-folder.ts";
import { useEmbeddedLibzmq } from "./embedded-libzmq.ts";
import { NodeKeeper } from "./node-keeper.ts";
import { nodeLog } from "./node-log.ts";
import { takePlace } from "./node-place.ts";
import { ProcessMeter } from "./process-meter.ts";
import { aborted, stopSignal } from "./stop-signal.ts";

/** What a role tells of itself; the lifecycle adds process figures and publishes it. */
export interface NodeReport {
  readonly state: NodeState;
  readonly reason: string | null;
  readonly dataAgeMs: number | null;
  readonly mode: "paper" | "live" | null;
  readonly details: HealthBody["details"];
  readonly values: Readonly<Record<string, number>>;
  readonly rails: MetricsBody["rails"];
}

export interface NodeSuppliers {
  report(): NodeReport;
  positions?(): BodyFields<PositionsBody>;
  scan?(): BodyFields<ScanBody>;
  readonly indicators?: IndicatorSupplier;
}

export interface NodeOptions {
  readonly role: NodeRole;
  readonly name: NodeName;
  readonly folder: DataFolder;
  /** Endpoints to publish on besides the folder's ipc socket. */
  readonly publish: readonly string[];
  /** Of a node that trades. */
  readonly mode?: ExecutionMode;
}

/** A live node, as its role sees it. */
export interface Node {
  readonly name: NodeName;
  readonly folder: DataFolder;
  readonly log: Log;
  readonly publisher: MessagePublisher;
  /** Aborted when the node is to stop. */
  readonly stop: AbortSignal;
  /** Ends the node from inside. */
  requestStop(reason: string): void;
  /** From now on this is what telemetry says; called on timers. */
  tell(suppliers: NodeSuppliers): void;
  /** Adds addresses (an HTTP or WebSocket one) to the advertisement. */
  advertise(endpoints: readonly string[]): void;
}

/** A node that is asked to stop has this long, ms; what it was doing is as safe as under kill -9. */
const STOP_WITHIN_MS = 4500;

/**
 * The life of a node: folder, name lock, sockets, advertisement, telemetry, then `body` until it returns; then all of it undone
 * in reverse. `body` returns the exit code, and should end soon after `stop` is aborted. Throws FabricError: "io" for the folder,
 * "refused" for the name (market-data: "unavailable", because the store is what is in use).
 */
export async function runNode(
  options: NodeOptions,
  body: (node: Node) => Promise<number | undefined>,
): Promise<number | undefined> {
  const { role, name, folder } = options;
  declareRole(role);
  // Read once before anything is opened: a setting that cannot be read is told as such.
  wallSkewMs();
  const logs = new LogRing();
  const log = nodeLog(name, (entry) => logs.add(entry));
  useEmbeddedLibzmq();
  const place = takePlace(options, log);
  if (!place) throw nameTaken(role, name, folder);
  using stop = stopSignal();
  const { lock, alive, socket, sockets, socketFile } = place;
  const epoch = platform.random.uuid();
  let keeper: NodeKeeper | null = null;
  try {
    const publisher = new MessagePublisher({ node: name, epoch }, { publisher: socket, clock: platform.clock, log });
    const { endpoints } = socket;
    const mode = options.mode === undefined ? {} : { mode: options.mode };
    const startedAt = platform.clock.nowMs();
    const about = { node: name, role, pid: process.pid, version: VERSION, epoch, startedAt, ...mode };
    keeper = new NodeKeeper(
      {
        run: folder.run,
        sockets,
        lock,
        alive,
        socket,
        advertisement: { ...about, endpoints: [...endpoints] },
        whenNameIsLost: role === "market-data" ? "stay" : "stop",
      },
      { ...platform, log },
    );
    const kept = keeper;
    using telemetry = new NodeTelemetry(options, publisher, socket, logs, log);
    const running = body({
      name,
      folder,
      log,
      publisher,
      stop: stop.signal,
      requestStop: (reason) => stop.stop(reason),
      tell: (suppliers) => telemetry.tell(suppliers),
      advertise: (more) => kept.advertise([...endpoints, ...more]),
    });
    return await Promise.race([running, overdue(stop.signal), kept.lost]);
  } finally {
    keeper?.[Symbol.dispose]();
    // Where another process has our name by now, what lies there is its own.
    if (keeper?.nameLost !== true) leave(() => withdraw(folder.run, platform.files, name), log);
    socket.close();
    if (keeper?.nameLost !== true) leave(() => platform.files.remove(socketFile), log);
    alive.release();
    lock.release();
  }
}

/** What cannot be removed (a read-only folder) must not keep the node from ending: its lock tells that it is gone. */
function leave(remove: () => void, log: Log): void {
  try {
    remove();
  } catch (error) {
    log.warn(`Left behind at the end: ${messageOf(error)}`);
  }
}

/** Never resolves; rejects where the node is still busy this long after it was asked to stop. */
async function overdue(stop: AbortSignal): Promise<never> {
  await aborted(stop);
  await new Promise<void>((resolve) => platform.timers.after(STOP_WITHIN_MS, resolve));
  throw new FabricError(
    "unavailable",
    `Stopped without being done: the node was still busy ${STOP_WITHIN_MS} ms after it was asked to stop`,
  );
}

function nameTaken(role: NodeRole, name: string, folder: DataFolder): FabricError {
  const pid = readAdvertisement(folder.run, platform.files, name)?.pid;
  const holder = pid === undefined ? "another process" : `process ${pid}`;
  if (role === "market-data") {
    return new FabricError(
      "unavailable",
      `Cannot open the store in ${folder.path} for writing: ${holder} holds it as market-data; stop that first, or choose another --data`,
    );
  }
  return new FabricError(
    "refused",
    `Cannot start as "${name}": ${holder} runs under that name in ${folder.path}; stop it, or choose another --name`,
  );
}

/** Telemetry of one node: starting until its role tells more, stopping at the end. */
class NodeTelemetry implements Disposable {
  readonly #meter = new ProcessMeter(platform.clock, platform.timers);
  readonly #startedMs = platform.clock.monotonicMs();
  readonly #telemetry: TelemetryPublisher;
  #suppliers: NodeSuppliers = { report: () => STARTING };

  constructor(options: NodeOptions, publisher: MessagePublisher, socket: ZmqPublisher, logs: LogRing, log: Log) {
    const { role } = options;
    const isRunner = role === "runner";
    const isScanner = role === "scanner";
    this.#telemetry = new TelemetryPublisher(
      { node: options.name },
      {
        health: () => {
          const { state, reason, dataAgeMs, mode, details: told } = this.#suppliers.report();
          const uptimeMs = Math.round(platform.clock.monotonicMs() - this.#startedMs);
          const skewMs = wallSkewMs();
          const details = skewMs === null ? told : { ...told, clockSkewMs: skewMs };
          return { role, pid: process.pid, version: VERSION, uptimeMs, state, reason, dataAgeMs, mode, details };
        },
        metrics: () => {
          const { values, rails } = this.#suppliers.report();
          const { sent, again, oversize, failed } = socket.counters();
          const published = {
            "publish.sent.total": sent,
            "publish.dropped.total": again + oversize,
            "publish.failed.total": failed,
          };
          return { role, values: { ...this.#meter.values(), ...published, ...values }, rails };
        },
        ...(isRunner ? { positions: () => this.#suppliers.positions?.() ?? noPositions(options.mode) } : {}),
        ...(isRunner
          ? {
              indicators: {
                version: () => this.#suppliers.indicators?.version() ?? 0,
                snapshot: () => this.#suppliers.indicators?.snapshot() ?? NO_INDICATORS,
              },
            }
          : {}),
        ...(isScanner ? { scan: () => this.#suppliers.scan?.() ?? { rows: [] } } : {}),
        logs,
      },
      { publisher, timers: platform.timers, clock: platform.clock, log },
    );
  }

  tell(suppliers: NodeSuppliers): void {
    this.#suppliers = suppliers;
    this.#telemetry.publishAll();
  }

  [Symbol.dispose](): void {
    const last = this.#suppliers.report;
    this.#suppliers = { ...this.#suppliers, report: () => ({ ...last(), state: "stopping", reason: "asked to stop" }) };
    this.#telemetry.publishAll();
    this.#telemetry.close();
    this.#meter[Symbol.dispose]();
  }
}

const STARTING: NodeReport = {
  state: "starting",
  reason: null,
  dataAgeMs: null,
  mode: null,
  details: {},
  values: {},
  rails: [],
};

const NO_INDICATORS = { strategy: "", timeframe: "1m", symbols: [], omitted: 0 };

function noPositions(mode: ExecutionMode = "paper"): BodyFields<PositionsBody> {
  return { mode, strategy: "", positions: [], orders: [] };
}
