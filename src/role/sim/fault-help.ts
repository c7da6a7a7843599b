import { knownBadFaults } from "../../feed/sim/bad-day.ts";
import { knownFaults } from "../../feed/sim/venue/faults.ts";
import { printTable } from "../tools/print.ts";

/** Prints what `--venue-faults` knows. */
export function printFaults(): number {
  printTable(knownFaults());
  return 0;
}

/** Prints what `--bad-day` knows. */
export function printBadDay(): number {
  printTable(knownBadFaults());
  return 0;
}
