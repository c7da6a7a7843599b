import { expect, test } from "bun:test";
import type { StoredCandle } from "../../src/core/candle.ts";
import type { Evidence, RunnerEvidence, Verdict } from "../../src/role/chaos/evidence.ts";
import type { JournalContents, Row } from "../../src/role/chaos/journals.ts";
import { judgeAll } from "../../src/role/chaos/judge.ts";
import { soundEvidence } from "./sound-evidence.ts";

export const sound = await soundEvidence();

export const judge: (evidence: Evidence) => readonly Verdict[] = judgeAll;

export function broken(evidence: Evidence): readonly Verdict[] {
  return judge(evidence).filter(({ ok }) => !ok);
}

/** What is broken, the evidence of it, and the invariants that must say so (others may, where one thing follows from another). */
export type Case = readonly [string, Evidence, readonly string[], RegExp];

export function testCases(cases: readonly Case[]): void {
  for (const [what, evidence, expected, says] of cases) {
    test(`The judges of chaos find ${what}`, () => {
      const found = broken(evidence);
      const ids = found.map(({ id }) => id);
      expect(expected.filter((id) => !ids.includes(id))).toEqual([]);
      expect(found.map(({ detail }) => detail).join("\n")).toMatch(says);
    });
  }
}

/** The evidence with one of its rows changed, or left out (and the rest as it was). */
export function withRow(at: number, change: Partial<StoredCandle> | null): Evidence {
  const rows = sound.rows.flatMap((row, index) =>
    index !== at ? [row] : change === null ? [] : [{ ...row, ...change }],
  );
  return { ...sound, rows };
}

export function withFirstRunner(change: (runner: RunnerEvidence) => RunnerEvidence): Evidence {
  return { ...sound, runners: sound.runners.map((runner, at) => (at === 0 ? change(runner) : runner)) };
}

export function withLive(change: (runner: RunnerEvidence) => RunnerEvidence): Evidence {
  return { ...sound, runners: sound.runners.map((each) => (each.undisturbed === null ? change(each) : each)) };
}

/** A table of the first runner's journal, and of its undisturbed twin where both are to show it. */
export function withTable(
  table: "intents" | "fills" | "cursors" | "states",
  change: (rows: readonly Row[]) => readonly Row[],
  both = false,
): Evidence {
  return withFirstRunner((runner) => {
    const changed = (journal: JournalContents) => ({ ...journal, [table]: change(journal[table]) });
    const twin = runner.undisturbed as JournalContents;
    return { ...runner, found: changed(runner.found), undisturbed: both ? changed(twin) : twin };
  });
}

export function first(rows: readonly Row[], change: Row): readonly Row[] {
  return rows.map((row, at) => (at === 0 ? { ...row, ...change } : row));
}

export function withVerify(change: Readonly<Record<string, unknown>>): Evidence {
  return { ...sound, verify: { ...sound.verify, ...change } as Evidence["verify"] };
}

export function withVenue(change: Partial<Evidence["venue"]>): Evidence {
  return { ...sound, venue: { ...sound.venue, ...change } };
}

export function withPlay(change: Partial<Evidence["play"]>): Evidence {
  return { ...sound, play: { ...sound.play, ...change } };
}
