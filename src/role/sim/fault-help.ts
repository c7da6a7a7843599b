import { knownFaults } from "../../feed/sim/venue/faults.ts";
import { printTable } from "../tools/print.ts";

/** Prints what `--venue-faults` knows. */
export function printFaults(): number {
  printTable(knownFaults());
  return 0;
}
