import type { Cuts } from "./scenario.ts";
import type { Outcome } from "./simulation.ts";

export type Simulate = (seed: number, cuts: Cuts, keepTrace: number) => Outcome;

const strays: unknown[] = [];
let listens = false;

/** Runs one seed in a turn of the event loop of its own; a promise that rejected unheard counts as a violation. */
export async function runSeed(simulate: Simulate, seed: number, cuts: Cuts, keepTrace: number): Promise<Outcome> {
  if (!listens) process.on("unhandledRejection", (error) => void strays.push(error));
  listens = true;
  const outcome = await inOwnTurn(() => simulate(seed, cuts, keepTrace));
  await inOwnTurn(() => undefined);
  const unheard = strays.splice(0).filter((error) => !(error instanceof Error && error.name === "Killed"));
  if (unheard.length === 0) return outcome;
  const what = `a promise rejected and nobody heard: ${unheard.map((error) => (error instanceof Error ? error.stack : error)).join("; ")}`;
  return { ...outcome, violations: [...outcome.violations, { invariant: 10, what, atMs: 0 }] };
}

/** The simulation drains the microtask queue itself, so that it must not be called out of a microtask. */
function inOwnTurn<T>(act: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(act());
      } catch (error) {
        reject(error);
      }
    });
  });
}
