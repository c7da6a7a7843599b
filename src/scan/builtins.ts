import type { ScanRule } from "./contract.ts";
import { momentumRank } from "./momentum-rank.ts";
import { rangeBreakout } from "./range-breakout.ts";
import { volumeSpike } from "./volume-spike.ts";

/** The rules that come with fabric, by name; a scanner runs all of them unless told otherwise. */
export const BUILTIN_RULES: ReadonlyMap<string, ScanRule> = new Map(
  [momentumRank, volumeSpike, rangeBreakout].map((rule) => [rule.name, rule]),
);
