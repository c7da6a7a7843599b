import { platform } from "#platform";
import type { Log } from "../../core/env.ts";
import { nodeName } from "../../core/symbol.ts";
import { type BadDay, parseBadDay } from "../../feed/sim/bad-day.ts";
import {
  openSimExchange,
  type SimAccountOptions,
  type SimExchange,
  type SimSource,
} from "../../feed/sim/sim-exchange.ts";
import { SIM_STATE_FILE } from "../../feed/sim/sim-state.ts";
import { parseVenueFaults } from "../../feed/sim/venue/faults.ts";
import { parseBalances, parseKeyFile } from "../../feed/sim/venue/opening.ts";
import type { VenueId } from "../../feed/venues/contract.ts";
import { checkInputFile } from "../input-file.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { runNode } from "../lifecycle/node.ts";
import { nodeLog } from "../lifecycle/node-log.ts";
import { aborted, stopSignal } from "../lifecycle/stop-signal.ts";
import { sweepTemporaries } from "../lifecycle/temporaries.ts";

export interface SimOptions {
  readonly venue: VenueId;
  /** As `parseBadDay` reads it. */
  readonly badDay: string | undefined;
  readonly symbols: readonly string[];
  readonly seed: number;
  /** Epoch ms. */
  readonly startMs: number;
  readonly port: number;
  /** Exchange ms per wall ms. */
  readonly speed: number;
  /** A recording to play instead of a market. */
  readonly file: string | undefined;
  /** Where clock and account are kept and the address advertised; nothing is kept without it. */
  readonly data: string | undefined;
  /** As `parseVenueFaults` reads them. */
  readonly venueFaults: string | undefined;
  /** A file with the simulated account's API key and secret. */
  readonly venueKeys: string | undefined;
  /** As `parseBalances` reads them. */
  readonly venueBalances: string | undefined;
}

interface Opening {
  readonly account: SimAccountOptions;
  readonly badDay: BadDay | null;
}

const HOST = "127.0.0.1";

/** A simulated exchange until stopped. With a data folder it is a node of that folder, found by `market-data --feed sim`. */
export async function runSim(options: SimOptions): Promise<number | undefined> {
  if (options.file !== undefined) checkInputFile("play", options.file);
  const opening = {
    account: accountOf(options),
    badDay: options.badDay === undefined ? null : parseBadDay(options.badDay),
  };
  if (options.data === undefined) return runAlone(options, opening);
  const folder = dataFolder(options.data);
  return runNode({ role: "sim", name: nodeName("sim"), folder, publish: [] }, async (node) => {
    sweepTemporaries(folder.path, SIM_STATE_FILE, platform.files);
    const exchange = open(options, opening, folder.path, node.log);
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

async function runAlone(options: SimOptions, opening: Opening): Promise<number> {
  using stop = stopSignal();
  const exchange = open(
    options,
    opening,
    null,
    nodeLog("sim", () => undefined),
  );
  await aborted(stop.signal);
  await exchange.stop();
  return 0;
}

/** Before anything is made or opened. Throws "usage", "missing-input", "bad-data". */
function accountOf({ venueFaults, venueKeys, venueBalances }: SimOptions): SimAccountOptions {
  if (venueKeys !== undefined) checkInputFile("use", venueKeys);
  return {
    ...(venueFaults === undefined ? {} : { faults: parseVenueFaults(venueFaults) }),
    ...(venueKeys === undefined ? {} : { keys: parseKeyFile(venueKeys, platform.files.readText(venueKeys)) }),
    ...(venueBalances === undefined ? {} : { balances: parseBalances(venueBalances) }),
  };
}

function open(options: SimOptions, { account, badDay }: Opening, folder: string | null, log: Log): SimExchange {
  const { symbols, seed, startMs, speed, port } = options;
  const source: SimSource =
    options.file === undefined
      ? { kind: "market", symbols, seed, startMs, folder }
      : { kind: "recording", file: options.file };
  const { venue } = options;
  const exchange = openSimExchange(
    { host: HOST, port, speed, source, venue, badDay, ...(venue === "binance-spot" ? { account } : {}) },
    { ...platform, log },
  );
  const what = options.file ?? `${symbols.join(", ")} of ${exchange.environment}`;
  log.info(`Listening on ws://${HOST}:${exchange.port}: ${venue}, ${what} at ${speed} times real speed`);
  return exchange;
}
