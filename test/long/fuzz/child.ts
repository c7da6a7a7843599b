import { messageOf } from "../../../src/core/errors.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { StretchEnd } from "./stretch-end.ts";
import { Tally } from "./tally.ts";
import { FUZZ_TARGETS } from "./targets.ts";

// One target's cases in a process of their own: child.ts TARGET SEED FROM TO. Says `at N` on the way; its last line is the report.
const [name = "", seed, from, to] = process.argv.slice(2);
const target = FUZZ_TARGETS[name];
if (!target) throw new Error(`No fuzz target "${name}"`);
const tally = new Tally(Number(from), Number(to));
const run = await target.load();
try {
  using folder = tempFolder();
  await run({ seed: Number(seed), from: Number(from), to: Number(to), folder: folder.path }, tally);
  tally.reached(Number(to), true);
} catch (error) {
  if (error instanceof StretchEnd) tally.reached(error.next, true);
  else tally.crash(error instanceof Error ? (error.stack ?? error.message) : messageOf(error));
}
process.stdout.write(`\n${JSON.stringify(tally.report())}\n`, () => process.exit(0));
