import { expect, test } from "bun:test";
import { bugTable, findBugs } from "../sim/bug-table.ts";
import { BUGS } from "../sim/bugs.ts";

const SEEDS = 2000;

test(`The simulator finds each of ${BUGS.length} planted bugs within ${SEEDS} seeds`, async () => {
  const found = await findBugs(SEEDS, 2);
  console.log(bugTable(found));
  expect(found.filter(({ failure }) => failure === null).map(({ bug }) => bug.name)).toEqual([]);
}, 590_000);
