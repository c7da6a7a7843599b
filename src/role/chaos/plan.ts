import { Dice } from "../../feed/sim/chance.ts";
import type { Part } from "./cast.ts";
import type { ChaosWish, DiskFault, FileFault, Role, Wire } from "./wish.ts";

/** A node that is killed, how long it stays down, and how wrong its wall clock is in its next life. */
export interface Victim {
  readonly node: string;
  readonly downMs: number;
  readonly skew: string | null;
}

export type WireHow = "cut" | "stall" | "slow" | "half-open" | "refuse";

/** What is done at one moment of the play. */
export type Deed =
  /** `closeMs`: wall ms around the next close of a minute; null for at once. */
  | { readonly kind: "kill"; readonly victims: readonly Victim[]; readonly closeMs: number | null }
  | { readonly kind: "stall"; readonly node: string; readonly forMs: number }
  | {
      readonly kind: "drop";
      readonly wire: Wire;
      readonly how: WireHow;
      readonly forMs: number;
      readonly delayMs: number;
    }
  | { readonly kind: "disk"; readonly fault: "full"; readonly forMs: number }
  | {
      readonly kind: "disk";
      readonly fault: "read-only";
      readonly folder: "published" | "journal";
      readonly forMs: number;
    }
  | {
      readonly kind: "file";
      readonly fault: FileFault;
      readonly node: string;
      readonly how: "delete" | "truncate" | "flip";
      readonly pick: number;
    }
  /** A second node of the same name must be refused. */
  | { readonly kind: "second"; readonly node: string }
  /** The bridge is asked to act, and must not. */
  | { readonly kind: "knock" };

export type Step = Deed & { readonly atMs: number };

/** Nothing is done in the first moments, so that there is a market, nor at the very end. */
const FIRST_MS = 1500;
const LAST_MS = 1000;

/**
 * The schedule: a function of the wish and the cast alone, oldest first. Each kind of fault draws from dice of its own, so that
 * leaving one out does not move the others.
 */
export function planOf(wish: ChaosWish, cast: readonly Part[]): readonly Step[] {
  const steps = [
    ...kills(wish, cast, diceOf(wish, 1)),
    ...stalls(wish, cast, diceOf(wish, 2)),
    ...drops(wish, diceOf(wish, 3)),
    ...disk(wish, diceOf(wish, 4)),
    ...files(wish, cast, diceOf(wish, 5)),
    ...tries(wish, diceOf(wish, 6)),
  ];
  return steps.sort((one, other) => one.atMs - other.atMs);
}

/** How often each kind of fault is in a schedule, by the first word of its name in the report. */
export function wishedOf(steps: readonly Step[], mayMount: boolean): Readonly<Record<string, number>> {
  const wished: Record<string, number> = {};
  const add = (kind: string, count: number) => {
    if (count > 0) wished[kind] = (wished[kind] ?? 0) + count;
  };
  for (const step of steps) {
    if (step.kind === "kill") {
      add("kill", step.victims.length);
      add("skew", step.victims.filter(({ skew }) => skew !== null).length);
    } else if (step.kind === "drop") add("wire", 1);
    else if (step.kind === "disk") add("disk", mayMount ? 1 : 0);
    else if (step.kind === "stall" || step.kind === "file") add(step.kind, 1);
  }
  return wished;
}

/** The wall clock of a node's first life or a later one: wrong in about a third of them. */
export function skewOf(wish: ChaosWish, role: Role, dice: Dice): string | null {
  const draw = dice.unit();
  const sizes = [40, 900, 7000, 3_600_000, 86_400_000];
  const one = (sizes[dice.below(sizes.length)] ?? 0) * (dice.unit() < 0.5 ? -1 : 1);
  const other = (sizes[dice.below(sizes.length)] ?? 0) * (dice.unit() < 0.5 ? -1 : 1);
  const atMs = 300 + dice.below(4000);
  // The exchange's clock is the market itself: there is nothing to be wrong against.
  if (role === "sim" || !wish.skew.has(role) || draw > 0.35) return null;
  return draw < 0.2 ? `${one}` : `${one},${other}@${atMs},0@${atMs * 2}`;
}

export function diceOf(wish: ChaosWish, track: number): Dice {
  return new Dice(wish.seed >>> 0, Math.floor(wish.seed / 2 ** 32), track, 0x0c4a05);
}

function* moments(wish: ChaosWish, dice: Dice, leastMs: number, mostMs: number): Generator<number> {
  for (let at = FIRST_MS; ; ) {
    at += leastMs + dice.below(mostMs - leastMs);
    if (at > wish.forMs - LAST_MS) return;
    yield at;
  }
}

/** The time that is left for a fault, at most `most`. */
function within(wish: ChaosWish, atMs: number, most: number): number {
  return Math.max(0, Math.min(most, wish.forMs - atMs));
}

function* kills(wish: ChaosWish, cast: readonly Part[], dice: Dice): Generator<Step> {
  const mortal = cast.filter(({ role }) => wish.kill.has(role));
  if (mortal.length === 0) return;
  for (const atMs of moments(wish, dice, 600, 2000)) {
    const around = dice.unit() < 0.3;
    const victims = chosen(mortal, dice, around).map((part): Victim => {
      const draw = dice.unit();
      const downMs = draw < 0.6 ? dice.below(300) : draw < 0.9 ? 300 + dice.below(1200) : 1500 + dice.below(2000);
      return { node: part.name, downMs, skew: skewOf(wish, part.role, dice) };
    });
    yield { atMs, kind: "kill", victims, closeMs: around ? dice.below(60) - 15 : null };
  }
}

/** Around a close the market's own pipeline is hit, alone or with a runner; else one node, two, or all of them at once. */
function chosen(mortal: readonly Part[], dice: Dice, around: boolean): readonly Part[] {
  const shuffled = [...mortal];
  for (let at = shuffled.length - 1; at > 0; at--) {
    const other = dice.below(at + 1);
    const [a, b] = [shuffled[at], shuffled[other]];
    if (a && b) [shuffled[at], shuffled[other]] = [b, a];
  }
  const draw = dice.unit();
  if (!around) return shuffled.slice(0, draw < 0.72 ? 1 : draw < 0.92 ? 2 : shuffled.length);
  const market = mortal.filter(({ role }) => role === "market-data");
  const runner = shuffled.find(({ role }) => role === "runner");
  const pair = [...(draw < 0.8 ? market : []), ...(runner && draw > 0.4 ? [runner] : [])];
  return pair.length > 0 ? pair : shuffled.slice(0, 1);
}

function* stalls(wish: ChaosWish, cast: readonly Part[], dice: Dice): Generator<Step> {
  const parts = cast.filter(({ role }) => wish.stall.has(role));
  if (parts.length === 0) return;
  for (const atMs of moments(wish, dice, 2000, 6000)) {
    const part = parts[dice.below(parts.length)];
    const forMs = within(wish, atMs, dice.unit() < 0.7 ? 100 + dice.below(900) : 1000 + dice.below(3000));
    if (part) yield { atMs, kind: "stall", node: part.name, forMs };
  }
}

function* drops(wish: ChaosWish, dice: Dice): Generator<Step> {
  const wires = [...wish.drop];
  if (wires.length === 0) return;
  const ways: readonly WireHow[] = ["cut", "cut", "stall", "slow", "half-open", "refuse"];
  for (const atMs of moments(wish, dice, 1500, 4500)) {
    const wire = wires[dice.below(wires.length)] ?? "zmq";
    const how = ways[dice.below(ways.length)] ?? "cut";
    const forMs = within(wish, atMs, how === "half-open" ? 1000 + dice.below(8000) : 200 + dice.below(2800));
    yield { atMs, kind: "drop", wire, how, forMs, delayMs: 5 + dice.below(300) };
  }
}

function* disk(wish: ChaosWish, dice: Dice): Generator<Step> {
  const faults: readonly DiskFault[] = [...wish.disk];
  if (faults.length === 0) return;
  for (const atMs of moments(wish, dice, 6000, 12_000)) {
    const fault = faults[dice.below(faults.length)] ?? "full";
    const folder = dice.unit() < 0.6 ? "published" : "journal";
    const forMs = within(wish, atMs, 500 + dice.below(2500));
    yield fault === "full" ? { atMs, kind: "disk", fault, forMs } : { atMs, kind: "disk", fault, folder, forMs };
  }
}

function* files(wish: ChaosWish, cast: readonly Part[], dice: Dice): Generator<Step> {
  const faults = [...wish.files];
  if (faults.length === 0) return;
  for (const atMs of moments(wish, dice, 1200, 4000)) {
    const fault = faults[dice.below(faults.length)] ?? "socket";
    const node = cast[dice.below(cast.length)]?.name ?? "market-data";
    const draw = dice.unit();
    // Only a segment's bytes can lie: whatever else is read is told wrong by its own form.
    const flips = fault === "segment" && draw >= 2 / 3;
    const how = flips ? "flip" : draw < (fault === "segment" ? 1 / 3 : 1 / 2) ? "delete" : "truncate";
    yield { atMs, kind: "file", fault, node, how, pick: dice.word() };
  }
}

/** Always on: they hurt nobody, and the report rests on them. */
function* tries(wish: ChaosWish, dice: Dice): Generator<Step> {
  const names = ["market-data", "busy", "market-data", "saver", "scanner", "bridge"];
  let at = 0;
  for (const atMs of moments(wish, dice, 2000, 5000)) {
    yield { atMs, kind: "second", node: names[at++ % names.length] ?? "market-data" };
    yield { atMs: atMs + 700, kind: "knock" };
  }
}
