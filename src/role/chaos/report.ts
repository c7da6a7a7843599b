import { printable } from "../tools/print.ts";
import type { Verdict } from "./evidence.ts";
import type { RecoveryTimes, Spread } from "./recovery.ts";
import type { Role } from "./wish.ts";

/** What a run of chaos tells at its end. The first six fields are what scripts rely on. */
export interface ChaosReport {
  readonly ok: boolean;
  readonly seed: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly candles: number;
  readonly orders: number;
  readonly invariants: readonly Verdict[];
  /** Other faults, by dotted name. */
  readonly faults: Readonly<Record<string, number>>;
  /** How long each role took to catch up after a kill. */
  readonly recovery: Readonly<Partial<Record<Role, RecoveryTimes>>>;
  readonly caughtUpMs: number | null;
  /** What could not be done here, and why. */
  readonly skipped: readonly string[];
  /** Wall ms of faults. */
  readonly forMs: number;
  readonly data: string | null;
}

/** The report for people. */
export function reportText(report: ChaosReport): string {
  const width = Math.max(...report.invariants.map(({ id }) => id.length));
  const kills = Object.entries(report.kills).map(([role, count]) => `${role} ${count}`);
  const faults = Object.entries(report.faults).sort(([one], [other]) => (one < other ? -1 : 1));
  const broken = report.invariants.filter(({ ok }) => !ok).length;
  return [
    ...report.invariants.map(
      ({ id, ok, detail }) => `${ok ? "holds " : "BROKEN"}  ${id.padEnd(width)}  ${printable(detail)}`,
    ),
    "",
    `kills   ${sum(Object.values(report.kills))}: ${kills.join(", ")}`,
    `faults  ${faults.map(([name, count]) => `${name} ${count}`).join(", ")}`,
    ...report.skipped.map((what) => `SKIPPED ${what}`),
    "",
    "until caught up, ms      measured  interrupted   from kill p50 / p99 / max   from start p50 / p99 / max",
    ...Object.entries(report.recovery).map(([role, times]) => recoveryLine(role, times)),
    "",
    `${broken === 0 ? "all invariants hold" : `${broken} of ${report.invariants.length} invariants are broken`}: seed ${report.seed}, ` +
      `${report.candles} candles, ${report.orders} orders`,
    "",
  ].join("\n");
}

function recoveryLine(role: string, { measured, interrupted, fromKill, fromStart }: RecoveryTimes): string {
  const counts = role.padEnd(23) + `${measured}`.padStart(10) + `${interrupted}`.padStart(13);
  return counts + [fromKill, fromStart].map((spread) => spreadText(spread).padStart(28)).join("");
}

function spreadText({ p50Ms, p99Ms, maxMs }: Spread): string {
  return `${p50Ms} / ${p99Ms} / ${maxMs}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
