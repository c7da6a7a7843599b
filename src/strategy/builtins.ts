import { channelBreakout } from "./channel-breakout.ts";
import type { Strategy } from "./contract.ts";
import { rsiReversion } from "./rsi-reversion.ts";
import { smaCross } from "./sma-cross.ts";

/** The strategies that come with fabric, by name. */
export const BUILTIN_STRATEGIES: ReadonlyMap<string, Strategy> = new Map(
  [smaCross, rsiReversion, channelBreakout].map((strategy) => [strategy.name, strategy]),
);
