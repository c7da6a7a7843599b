import { platform } from "#platform";
import type { Log } from "../../core/env.ts";
import { nodeName } from "../../core/symbol.ts";
import { openSimExchange, type SimExchange, type SimSource } from "../../feed/sim/sim-exchange.ts";
import { checkInputFile } from "../input-file.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { runNode } from "../lifecycle/node.ts";
import { nodeLog } from "../lifecycle/node-log.ts";
import { aborted, stopSignal } from "../lifecycle/stop-signal.ts";

export interface SimOptions {
  readonly symbols: readonly string[];
  readonly seed: number;
  /** Epoch ms. */
  readonly startMs: number;
  readonly port: number;
  /** Exchange ms per wall ms. */
  readonly speed: number;
  /** A recording to play instead of a market. */
  readonly file: string | undefined;
  /** Where the clock is kept and the address advertised; nothing is kept without it. */
  readonly data: string | undefined;
}

const HOST = "127.0.0.1";

/** A simulated exchange until stopped. With a data folder it is a node of that folder, found by `market-data --feed sim`. */
export async function runSim(options: SimOptions): Promise<number | undefined> {
  if (options.file !== undefined) checkInputFile("play", options.file);
  if (options.data === undefined) return runAlone(options);
  const folder = dataFolder(options.data);
  return runNode({ role: "sim", name: nodeName("sim"), folder, publish: [] }, async (node) => {
    const exchange = open(options, folder.path, node.log);
    node.advertise([`ws://${HOST}:${exchange.port}`]);
    node.tell({
      report: () => ({
        state: "running",
        reason: null,
        dataAgeMs: null,
        mode: null,
        details: {
          environment: exchange.environment,
          speed: options.speed,
          symbols: options.symbols.length,
          port: exchange.port,
        },
        values: exchange.counters(),
        rails: [],
      }),
    });
    await aborted(node.stop);
    await exchange.stop();
    return 0;
  });
}

async function runAlone(options: SimOptions): Promise<number> {
  using stop = stopSignal();
  const exchange = open(
    options,
    null,
    nodeLog("sim", () => undefined),
  );
  await aborted(stop.signal);
  await exchange.stop();
  return 0;
}

function open(options: SimOptions, folder: string | null, log: Log): SimExchange {
  const { symbols, seed, startMs, speed, port } = options;
  const source: SimSource =
    options.file === undefined
      ? { kind: "market", symbols, seed, startMs, folder }
      : { kind: "recording", file: options.file };
  const exchange = openSimExchange({ host: HOST, port, speed, source }, { ...platform, log });
  const what = options.file ?? `${symbols.join(", ")} of ${exchange.environment}`;
  log.info(`Listening on ws://${HOST}:${exchange.port}: ${what} at ${speed} times real speed`);
  return exchange;
}
