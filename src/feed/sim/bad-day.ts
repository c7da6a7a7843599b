import { FabricError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { hashText, hashWords } from "./chance.ts";

/** What a fault's chance is of. */
type Per = "message" | "trade" | "minute" | "request" | "run";

interface Fault {
  readonly per: Per;
  /** Exchange seconds that it takes unless told; absent where it takes none. */
  readonly seconds?: number;
  readonly what: string;
}

/** What a public market-data venue can do to its clients. Times are exchange time. */
const FAULTS = {
  drop: {
    per: "message",
    what: "a message with trades is not sent; where the venue numbers messages, its number is missing",
  },
  repeat: { per: "message", what: "a message with trades is sent twice" },
  reorder: { per: "message", what: "a message with trades is sent after the next one" },
  split: {
    per: "message",
    what: "a message's trades come in messages of one each (nothing at Binance and OKX, which send each trade by itself)",
  },
  malformed: { per: "message", what: "a message with trades is cut off, loses a field, or is a web page" },
  oversized: { per: "message", what: "a message with trades is 4 MB long, white space for the most part" },
  late: { per: "trade", what: "a trade is told 1 to 8 s after its minute is over" },
  "id-jump": { per: "trade", what: "after a trade the next 7 ids belong to nothing; klines count none" },
  freeze: {
    per: "minute",
    seconds: 20,
    what: "a connection goes on with heartbeats and answers, but tells no trade; they are lost",
  },
  burst: { per: "minute", seconds: 10, what: "a connection's trades are held back and then sent 50 times as fast" },
  slow: { per: "minute", seconds: 3, what: "all that a connection sends until the minute's end arrives so much later" },
  cut: { per: "minute", what: "a connection is dropped in the middle of a frame, without a close frame" },
  shutdown: {
    per: "minute",
    what: "a connection is closed; Binance spot, OKX and Kraken announce it (their notice counts at the market's speed, at least 1 s)",
  },
  "rest-down": { per: "minute", what: "REST answers 502 or 503 for the whole minute" },
  "rest-limited": {
    per: "request",
    what: "REST refuses as for too many requests, in the venue's way, for 1 to 3 s of real time; again while that lasts",
  },
  clock: {
    per: "run",
    what: "the venue's clock is off by so many seconds (may be below 0): REST's time and every event time, not the trades'",
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type BadFault = keyof typeof FAULTS;

/** Ids that a jump leaves out. */
const JUMP_IDS = 7;
const MOST_SECONDS = 3600;

export interface BadDay {
  /** From 0 to 1; absent is never. */
  readonly chances: Readonly<Partial<Record<BadFault, number>>>;
  /** Exchange ms that a fault takes. */
  readonly lasting: Readonly<Partial<Record<BadFault, number>>>;
  /** Exchange ms by which the venue's clock is off. */
  readonly skewMs: number;
}

export const GOOD_DAY: BadDay = { chances: {}, lasting: {}, skewMs: 0 };

/** Every name that `parseBadDay` knows, its kind of value, and what it does. */
export function knownBadFaults(): readonly { readonly fault: string; readonly value: string; readonly what: string }[] {
  return Object.entries<Fault>(FAULTS).map(([fault, { per, seconds, what }]) => {
    const lasting = seconds === undefined ? "" : `[:seconds, ${seconds} unless given]`;
    const whose = seconds !== undefined || fault === "cut" || fault === "shutdown" ? " and connection" : "";
    return { fault, value: per === "run" ? "seconds" : `chance 0 to 1 per ${per}${whose}${lasting}`, what };
  });
}

/**
 * Reads `drop=0.01,freeze=0.1:30,clock=-3`. Throws FabricError "usage" for a name that is none (naming the nearest) or is given
 * twice, and for a value out of range.
 */
export function parseBadDay(text: string): BadDay {
  const chances: Partial<Record<BadFault, number>> = {};
  const lasting: Partial<Record<BadFault, number>> = {};
  const seen = new Set<string>();
  let skewMs = 0;
  for (const part of text.split(",")) {
    const [name = "", value = ""] = part.trim().split("=", 2);
    if (!isBadFault(name)) {
      const known = Object.keys(FAULTS);
      throw usage(`unknown fault "${name}"${didYouMean(name, known) || `; known are ${known.join(", ")}`}`);
    }
    if (seen.has(name)) throw usage(`${name} is given twice`);
    seen.add(name);
    const fault: Fault = FAULTS[name];
    const [first = "", seconds] = value.split(":", 2);
    if (fault.per === "run") {
      const off = /^-?\d{1,4}(?:\.\d{1,3})?$/.test(value) ? Number(value) : Number.NaN;
      if (!(Math.abs(off) <= MOST_SECONDS))
        throw usage(`expected ${name}= seconds from -${MOST_SECONDS} to ${MOST_SECONDS}, found "${part}"`);
      skewMs = Math.round(off * 1000);
      continue;
    }
    const chance = /^\d(?:\.\d+)?$/.test(first) ? Number(first) : Number.NaN;
    if (!(chance <= 1)) throw usage(`expected ${name}= a chance from 0 to 1, found "${part}"`);
    chances[name] = chance;
    if (fault.seconds === undefined && seconds !== undefined) throw usage(`${name} takes no seconds, found "${part}"`);
    if (fault.seconds === undefined) continue;
    const lasts =
      seconds === undefined ? fault.seconds : /^\d{1,4}(?:\.\d+)?$/.test(seconds) ? Number(seconds) : Number.NaN;
    if (!(lasts > 0 && lasts <= MOST_SECONDS))
      throw usage(`expected ${name}=chance:seconds, more than 0 and at most ${MOST_SECONDS}, found "${part}"`);
    lasting[name] = lasts * 1000;
  }
  return { chances, lasting, skewMs };
}

/** The holes that a bad day makes in the trade ids. */
export function jumpsOf({ chances }: BadDay): readonly { readonly every: number; readonly skipped: number }[] {
  const chance = chances["id-jump"] ?? 0;
  return chance > 0 ? [{ every: Math.max(1, Math.round(1 / chance)), skipped: JUMP_IDS }] : [];
}

const NAMES = Object.keys(FAULTS) as readonly BadFault[];

/** Draws what strikes: the same for the same seed, place and number, however the others went. */
export class BadDice {
  readonly day: BadDay;
  readonly #seed: number;
  readonly #struck = new Map<BadFault, number>();

  /** `seed`: 0 to 2^53 - 1. */
  constructor(seed: number, day: BadDay) {
    this.day = day;
    this.#seed = hashText(seed, "bad day", 1);
  }

  /** Totals by fault, for telemetry, and by how much the clock is off. */
  counters(): Readonly<Record<string, number>> {
    const totals = [...this.#struck].map(([name, count]) => [`bad.${name}.total`, count] as const);
    return { ...Object.fromEntries(totals), "bad.clock.ms": this.day.skewMs };
  }

  /** A trade was told whose id is so far from the one before it. */
  numbered(step: number): void {
    if (step > JUMP_IDS) this.#struck.set("id-jump", (this.#struck.get("id-jump") ?? 0) + 1);
  }

  /** Whether a fault strikes at the `number`th message, minute … of `place` (a connection, or 0 for REST). Counts it. */
  strikes(name: BadFault, place: number, number: number): boolean {
    const chance = this.day.chances[name];
    if (chance === undefined || this.unit(name, place, number) >= chance) return false;
    this.#struck.set(name, (this.#struck.get(name) ?? 0) + 1);
    return true;
  }

  /** In [0, 1), for what a fault that strikes does. */
  unit(name: BadFault, place: number, number: number, salt = 0): number {
    const fault = NAMES.indexOf(name) + NAMES.length * salt;
    // A minute since 1970 times 60,000 passes 32 bits; both halves count.
    return hashWords(this.#seed + Math.floor(number / 2 ** 32), place, number >>> 0, fault) / 2 ** 32;
  }
}

function isBadFault(name: string): name is BadFault {
  return Object.hasOwn(FAULTS, name);
}

function usage(message: string): FabricError {
  return new FabricError("usage", `Bad --bad-day: ${message}`);
}
