import type { CandleFigure } from "../../src/core/candle.ts";
import { Seeded } from "../provider/sim/seeded.ts";

/** Everything that can be hurt. A seed draws which of them are on, and how much. */
export const FAULTS = [
  "wire.drop",
  "wire.duplicate",
  "wire.delay",
  "wire.reorder",
  "wire.cut",
  "wire.slow-joiner",
  "wire.garbage",
  "wire.send-fails",
  "store.commit-fails",
  "store.commit-fails-durable",
  "store.disk-full",
  "store.slow",
  "store.segment-lost",
  "store.segment-torn",
  "store.segment-flipped",
  "store.decays",
  "store.read-fails",
  "store.read-slow",
  "store.old-manifest",
  "store.manifest-hurt",
  "feed.interrupt",
  "feed.unreadable",
  "feed.late",
  "feed.lost",
  "feed.omitted",
  "feed.stall",
  "feed.klines-fail",
  "feed.klines-late",
  "feed.klines-gone",
  "broker.ack-lost",
  "broker.lost",
  "broker.late",
  "broker.reject",
  "broker.busy",
  "broker.slow",
  "broker.partial",
  "broker.base-fee",
  "broker.push-first",
  "broker.push-twice",
  "broker.push-lost",
  "broker.lookup-fails",
  "journal.full",
  "node.crash",
  "node.kill",
  "node.stall",
  "node.stop",
  "node.second",
  "power.loss",
  "clock.skew",
  "clock.drift",
  "clock.jump",
  "runner.halt",
] as const;

export type Fault = (typeof FAULTS)[number];

export interface RunnerSpec {
  readonly name: string;
  readonly symbols: readonly string[] | "all";
  readonly strategy: string;
  readonly broker: "paper" | "venue";
  readonly maxInFlight: number;
  readonly startMs: number;
}

export interface ScannerSpec {
  readonly symbols: readonly string[] | "all";
  readonly includePartial: boolean;
  readonly pageRows: number;
}

/** One run's world, drawn from its seed alone. */
export interface Scenario {
  readonly symbols: readonly string[];
  /** Wall ms in which things go wrong, and then those in which nothing does. */
  readonly hurtMs: number;
  readonly quietMs: number;
  /** Exchange ms per wall ms. */
  readonly speed: number;
  readonly historyMinutes: number;
  readonly tradesPerMinute: number;
  readonly quietChance: number;
  /** Figures that the venue's klines do not tell. */
  readonly untold: readonly CandleFigure[];
  /** Whether the venue's trade ids count on. */
  readonly idsCount: boolean;
  /** Wall ms between two readings of a connection. */
  readonly feedTickMs: number;
  readonly maxWaitingRows: number;
  readonly mergeWidth: number;
  readonly runners: readonly RunnerSpec[];
  readonly scanner: ScannerSpec | null;
  /** Nodes publish their telemetry, and a bridge hears it (unless it is cut). */
  readonly hasTelemetry: boolean;
  readonly hasBridge: boolean;
  /** 0 (off) to 1. */
  readonly rates: Readonly<Record<Fault, number>>;
}

/** What is left out of a scenario to make it smaller. */
export interface Cuts {
  readonly off: ReadonlySet<Fault>;
  /** Replaces hurtMs where shorter. */
  readonly hurtMs: number | null;
  readonly runners: number | null;
  readonly bridge: boolean | null;
  /** Telemetry is published whatever the seed says. */
  readonly telemetry: boolean;
  readonly scanner: boolean;
}

export const NO_CUTS: Cuts = {
  off: new Set(),
  hurtMs: null,
  runners: null,
  bridge: null,
  telemetry: false,
  scanner: true,
};

/** Wall ms. The long one outlasts the venue's window of validity and a node that stands still at its beginning. */
const QUIET_MS = 9000;
const LONG_QUIET_MS = 19_000;

const STRATEGIES = ["hash", "saver", "rolled", "warm", "partial", "churn"] as const;
const SYMBOLS = ["AAAUSDT", "BBBUSDT", "CCCUSDT"] as const;

export function drawScenario(seed: number, cuts: Cuts = NO_CUTS): Scenario {
  const chance = new Seeded(Math.imul(seed, 0x9e3779b1) ^ 0x51ed270b);
  const pick = <T>(from: readonly T[]): T => from[chance.below(from.length)] as T;
  const intensity = pick([0, 0.15, 0.35, 0.7]);
  const rates = {} as Record<Fault, number>;
  for (const fault of FAULTS) {
    // Nodes die often, and orders get lost: that is what the product is about. There are few of them while things go wrong.
    const isOften = intensity > 0 && (fault.startsWith("node.") || fault.startsWith("broker."));
    const on = chance.chance(isOften ? Math.max(intensity, 0.4) : intensity);
    const rate = 0.1 + 0.9 * chance.next();
    rates[fault] = on && !cuts.off.has(fault) ? rate : 0;
  }
  const symbols = SYMBOLS.slice(0, 1 + chance.below(SYMBOLS.length));
  const hurtMs = 2000 + chance.below(10_000);
  const speed = pick([20, 40, 60, 90]);
  const runners = drawRunners(chance, symbols, pick).slice(0, cuts.runners ?? 9);
  const scanner: ScannerSpec = {
    symbols: chance.chance(0.5) ? "all" : symbols.slice(0, Math.ceil(symbols.length / 2)),
    includePartial: chance.chance(0.3),
    pageRows: pick([1, 3, 1000]),
  };
  const hasScanner = chance.chance(0.6);
  const hasTelemetry = chance.chance(0.12) || cuts.telemetry;
  const scenario: Scenario = {
    symbols,
    hurtMs: Math.min(hurtMs, cuts.hurtMs ?? hurtMs),
    quietMs: QUIET_MS,
    speed,
    historyMinutes: pick([0, 3, 12, 25]),
    tradesPerMinute: pick([0.7, 2, 5]),
    quietChance: pick([0, 0.1, 0.4]),
    ...drawVenue(seed),
    feedTickMs: pick([20, 50, 120]),
    maxWaitingRows: pick([3, 10, 50, 1000]),
    mergeWidth: pick([2, 4, 16]),
    runners,
    scanner: hasScanner && cuts.scanner ? scanner : null,
    hasTelemetry,
    hasBridge: hasTelemetry && cuts.bridge !== false,
    rates,
  };
  // Long enough in some runs that an order the venue never got is lost for good.
  const isLong = runners.some(({ broker }) => broker === "venue") && intensity > 0 && chance.chance(0.2);
  return isLong ? { ...scenario, quietMs: LONG_QUIET_MS } : scenario;
}

/** Klines as Binance's, Kraken's, OKX's and Coinbase's; Bybit's ids do not count. Drawn apart, so that all else of a seed stays. */
function drawVenue(seed: number): Pick<Scenario, "untold" | "idsCount"> {
  const chance = new Seeded(Math.imul(seed, 0x85ebca6b) ^ 0x27d4eb2f);
  const takers = ["takerBuyVolume", "takerBuyQuoteVolume"] as const;
  const kinds = [[], [], takers, ["trades", ...takers], ["trades", "quoteVolume", ...takers]] as const;
  return { untold: kinds[chance.below(kinds.length)] ?? [], idsCount: !chance.chance(0.12) };
}

function drawRunners(chance: Seeded, symbols: readonly string[], pick: <T>(from: readonly T[]) => T): RunnerSpec[] {
  const count = 1 + chance.below(2);
  return Array.from({ length: count }, (_, at): RunnerSpec => {
    const all = chance.chance(0.5);
    const some = symbols.slice(0, 1 + chance.below(symbols.length));
    const broker = chance.chance(0.5) ? "venue" : "paper";
    return {
      name: `runner-${at + 1}`,
      // Live names its symbols, to compare the account with.
      symbols: all ? (broker === "venue" ? symbols : "all") : some,
      strategy: pick(STRATEGIES),
      broker,
      maxInFlight: pick([1, 3, 8]),
      startMs: chance.chance(0.5) ? 0 : chance.below(3000),
    };
  });
}
