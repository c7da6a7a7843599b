import { join } from "node:path";
import type { Clock, Files, Log } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import type { VenueId } from "../venues/contract.ts";
import type { SimMarketOptions } from "./truth.ts";

/** What makes two runs the same market at the same pace. */
export interface SimIdentity extends SimMarketOptions {
  readonly speed: number;
  /** Absent where nobody asks; a state of before there were several is binance-spot's. */
  readonly venue?: VenueId;
}

/** What `sim.json` holds. Times in ms. */
export interface SimState extends SimIdentity {
  readonly version: 1;
  /** Exchange and wall time at one moment: where the clock would be follows from it. */
  readonly anchorExchangeMs: number;
  readonly anchorWallMs: number;
  /** No client was shown an exchange time beyond this one. */
  readonly newestExchangeMs: number;
}

export const SIM_STATE_FILE = "sim.json";

const WRITE_EVERY_MS = 200;
/** How far ahead of the clock `newestExchangeMs` is written, in wall ms, so that a late write holds nothing up. */
const WRITE_AHEAD_MS = 400;

/** Null where the folder has none. Throws FabricError "config" where it cannot be read as one. */
export function readSimState(folder: string, files: Files): SimState | null {
  const path = join(folder, SIM_STATE_FILE);
  if (!files.stat(path)) return null;
  let value: Partial<SimState> | null = null;
  try {
    value = JSON.parse(files.readText(path)) as Partial<SimState> | null;
  } catch (error) {
    if (error instanceof FabricError) throw error;
  }
  if (value?.version === 1 && isWhole(value)) return value;
  throw new FabricError(
    "config",
    `Cannot resume the simulated exchange: ${path} is not a version 1 state; remove it to begin that market again`,
  );
}

/** Throws FabricError "refused" that names what differs and the remedy; the order of symbols does not matter. */
export function refuseOtherMarket(folder: string, state: SimState, wanted: SimIdentity): void {
  const sorted = (identity: SimIdentity) => [...identity.symbols].sort().join(",");
  const kept = state.venue ?? "binance-spot";
  const differ = [
    ["venue", kept, wanted.venue ?? kept],
    ["seed", state.seed, wanted.seed],
    ["speed", state.speed, wanted.speed],
    ["start", new Date(state.startMs).toISOString(), new Date(wanted.startMs).toISOString()],
    ["symbols", sorted(state), sorted(wanted)],
  ].find(([, holds, asked]) => holds !== asked);
  if (!differ) return;
  const [name, holds, asked] = differ;
  throw new FabricError(
    "refused",
    `Cannot run the simulated exchange with ${name} ${asked}: ${folder} holds a market with ${name} ${holds}; ask for that, or use another data folder`,
  );
}

/**
 * For `fabric up`, before it starts its exchange: the market goes on from the newest exchange time that was shown, as if no
 * wall time had passed while all of `up` was down. (An exchange that is started again without this finds that its market
 * went on without it.) Returns the exchange time it goes on from, null where the folder has no market yet. Throws
 * "refused" as `refuseOtherMarket`, "config" as `readSimState`.
 */
export function resumeSimState(
  folder: string,
  wanted: SimIdentity,
  deps: { readonly files: Files; readonly clock: Clock },
): number | null {
  const state = readSimState(folder, deps.files);
  if (!state) return null;
  refuseOtherMarket(folder, state, wanted);
  const anchored = { ...state, anchorExchangeMs: state.newestExchangeMs, anchorWallMs: deps.clock.nowMs() };
  deps.files.writeDurably(join(folder, SIM_STATE_FILE), JSON.stringify(anchored));
  return state.newestExchangeMs;
}

/** Where the exchange's clock would be now. A wall clock that was set back does not take the market back. */
export function exchangeTimeOf(state: SimState, wallMs: number): number {
  if (wallMs < state.anchorWallMs) return state.newestExchangeMs;
  return Math.floor(state.anchorExchangeMs + (wallMs - state.anchorWallMs) * state.speed);
}

export interface StateKeeperDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
}

/** Keeps `sim.json` current: rewritten every 200 ms of wall time, and always before a time beyond its word is shown. */
export class StateKeeper {
  readonly #folder: string;
  readonly #identity: SimIdentity;
  readonly #deps: StateKeeperDeps;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #coveredMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #failing = false;

  constructor(folder: string, identity: SimIdentity, deps: StateKeeperDeps) {
    this.#folder = folder;
    this.#identity = identity;
    this.#deps = deps;
  }

  /** Writes that failed; the market goes on, and so does trying. */
  get failures(): number {
    return this.#failures;
  }

  /** Call before `exchangeMs` is shown to anyone. Blocks for a write to disk about five times a second. */
  cover(exchangeMs: number): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (exchangeMs <= this.#coveredMs && nowMs - this.#writtenAtMs < WRITE_EVERY_MS) return;
    this.#writtenAtMs = nowMs;
    this.#coveredMs = exchangeMs + Math.ceil(WRITE_AHEAD_MS * this.#identity.speed);
    this.#tryWrite(exchangeMs, this.#coveredMs);
  }

  /** The last word of an orderly stop, exact. */
  close(exchangeMs: number, shownMs: number): void {
    this.#tryWrite(exchangeMs, shownMs);
  }

  /** The first write. Throws FabricError "io", so that a folder that cannot be written is told at start. */
  open(exchangeMs: number): void {
    this.#deps.files.makeFolder(this.#folder);
    this.#write(exchangeMs, exchangeMs);
  }

  /** Says when writing begins to fail and when it works again: at five tries a second, each failure would flood the log. */
  #tryWrite(exchangeMs: number, newestExchangeMs: number): void {
    try {
      this.#write(exchangeMs, newestExchangeMs);
      if (this.#failing) this.#deps.log.info("The exchange's state is kept again");
      this.#failing = false;
    } catch (error) {
      this.#failures++;
      if (!this.#failing) this.#deps.log.warn("Cannot keep the exchange's state", { reason: messageOf(error) });
      this.#failing = true;
    }
  }

  #write(exchangeMs: number, newestExchangeMs: number): void {
    const { seed, speed, startMs, symbols, venue = "binance-spot" } = this.#identity;
    const anchorWallMs = this.#deps.clock.nowMs();
    const identity = { venue, seed, speed, startMs, symbols };
    const state: SimState = { version: 1, ...identity, anchorExchangeMs: exchangeMs, anchorWallMs, newestExchangeMs };
    this.#deps.files.writeDurably(join(this.#folder, SIM_STATE_FILE), JSON.stringify(state));
  }
}

function isWhole(value: Partial<SimState>): value is SimState {
  const times = [value.startMs, value.anchorExchangeMs, value.anchorWallMs, value.newestExchangeMs, value.seed];
  return times.every(Number.isFinite) && typeof value.speed === "number" && Array.isArray(value.symbols);
}
