import { FabricError } from "../../../core/errors.ts";
import { didYouMean } from "../../../core/nearest.ts";
import { Dice, hashText } from "../chance.ts";

/** What a venue can do to its clients, and what a request or report then meets. */
const FAULTS = {
  "ack-lost": "an order is taken, and the connection breaks before its answer",
  "timeout-after-accept": "an order is taken, and 10 s later the answer is 408 with -1007",
  lost: "the connection breaks before the request is looked at",
  reject: "an order is refused by the matching engine (-2010)",
  "http-503": "503, in the three wordings that are known; the order may have been taken or not",
  lag: "a read sees orders and trades as they were 50 to 500 ms ago",
  slow: "the request waits 50 ms to 2 s before it is looked at, or its answer afterwards",
  busy: "429 with -1003 and Retry-After: 1",
  ban: "418 with -1003 and Retry-After: 2",
  partial: "a part of an order fills at once, the rest with the tape's next trades",
  expire: "a part of an order fills, the rest expires for want of liquidity",
  "duplicate-report": "an execution report is sent twice",
  "report-before-ack": "execution reports overtake the order's answer by 50 to 250 ms",
  "stream-cut": "the user data stream is cut instead of carrying a report",
} as const;

export type FaultName = keyof typeof FAULTS;

export interface VenueFaults {
  /** From 0 to 1; absent is never. */
  readonly chances: Readonly<Partial<Record<FaultName, number>>>;
  /** One server in ten has its clock off by so many exchange ms, either way; 0 for none. */
  readonly skewMs: number;
}

export const NO_FAULTS: VenueFaults = { chances: {}, skewMs: 0 };

const SKEW = "skew-ms";
const MAX_SKEW_MS = 3_600_000;
const SKEWED_SERVERS = 0.1;

/** Every name that `parseVenueFaults` knows, its kind of value, and what it does. */
export function knownFaults(): readonly { readonly fault: string; readonly value: string; readonly what: string }[] {
  const chances = Object.entries(FAULTS).map(([fault, what]) => ({ fault, value: "chance 0 to 1", what }));
  return [
    ...chances,
    { fault: SKEW, value: "exchange ms", what: "one server in ten has its clock off by so much, either way" },
  ];
}

/**
 * Reads `ack-lost=0.1,skew-ms=2000`: chances from 0 to 1 by name, and skew-ms in whole exchange ms. Throws FabricError
 * "usage" for a name that is none (naming the nearest) or is given twice, and for a value out of range.
 */
export function parseVenueFaults(text: string): VenueFaults {
  const chances: Partial<Record<FaultName, number>> = {};
  let skewMs: number | null = null;
  for (const part of text.split(",")) {
    const [name = "", value = ""] = part.trim().split("=", 2);
    if (name === SKEW) {
      if (skewMs !== null) throw usage(`${SKEW} is given twice`);
      skewMs = /^\d{1,7}$/.test(value) ? Number(value) : Number.NaN;
      if (!(skewMs <= MAX_SKEW_MS)) throw usage(`expected ${SKEW}=0 to ${MAX_SKEW_MS}, found "${part}"`);
      continue;
    }
    if (!isFaultName(name)) {
      const known = [...Object.keys(FAULTS), SKEW];
      throw usage(`unknown fault "${name}"${didYouMean(name, known) || `; known are ${known.join(", ")}`}`);
    }
    if (chances[name] !== undefined) throw usage(`${name} is given twice`);
    const chance = /^\d(?:\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    if (!(chance <= 1)) throw usage(`expected ${name}= a chance from 0 to 1, found "${part}"`);
    chances[name] = chance;
  }
  return { chances, skewMs: skewMs ?? 0 };
}

/** What one request, or one report, meets: the same for the same seed, counter and number, however the others went. */
export interface Luck {
  /** Whether this fault strikes here. Each name is drawn by itself. */
  has(name: FaultName): boolean;
  /** Exchange ms by which the clock of the server at hand is off. */
  readonly skewMs: number;
  /** A whole number from `least` to `most`, the same for the same purpose. */
  between(purpose: string, least: number, most: number): number;
}

/** Draws the luck of number after number. */
export class FaultDice {
  readonly #seed: number;
  readonly #faults: VenueFaults;
  readonly #struck = new Map<FaultName, number>();

  /** `seed`: 0 to 2^53 - 1. */
  constructor(seed: number, faults: VenueFaults) {
    this.#seed = seed;
    this.#faults = faults;
  }

  /** Totals by fault, for telemetry. */
  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#struck].map(([name, count]) => [`venue.fault.${name}.total`, count]));
  }

  /** `counter` names what is numbered: requests, reports. */
  luck(counter: string, number: number): Luck {
    const { chances, skewMs } = this.#faults;
    const dice = (purpose: string) =>
      new Dice(hashText(this.#seed, `${counter} ${purpose}`, number), number, 0x76, 0x65);
    const skewed = skewMs > 0 && dice(SKEW).unit() < SKEWED_SERVERS;
    return {
      has: (name) => {
        const strikes = dice(name).unit() < (chances[name] ?? 0);
        if (strikes) this.#struck.set(name, (this.#struck.get(name) ?? 0) + 1);
        return strikes;
      },
      skewMs: skewed ? (dice("sign").below(2) === 0 ? skewMs : -skewMs) : 0,
      between: (purpose, least, most) => least + dice(purpose).below(most - least + 1),
    };
  }
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

function usage(message: string): FabricError {
  return new FabricError("usage", `Bad --venue-faults: ${message}`);
}
