import type { CommandEntry } from "../src/role/cli/main.ts";

/** Every subcommand: its line in the overview, and where its code is. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  up: { description: "simulated exchange, every role and the dashboard, at once", load: () => import("./up.ts") },
  "market-data": {
    description: "trades in, candles to the store and the wire",
    load: () => import("./market-data.ts"),
  },
  runner: { description: "runs a strategy and owns its execution", load: () => import("./runner.ts") },
  scanner: { description: "ranks every symbol by rules; cannot trade", load: () => import("./scanner.ts") },
  bridge: { description: "the dashboard and its API over HTTP", load: () => import("./bridge.ts") },
  sim: { description: "a simulated exchange, or a recording played by one", load: () => import("./sim.ts") },
  record: { description: "a venue's trades into a file that can be replayed", load: () => import("./record.ts") },
  tail: { description: "prints messages as they fly", load: () => import("./tail.ts") },
  query: { description: "read-only SQL on the store", load: () => import("./query.ts") },
  orders: { description: "the orders in the runners' journals", load: () => import("./orders.ts") },
  positions: { description: "what the runners hold, with profit and loss", load: () => import("./positions.ts") },
  explain: { description: "how an order came about, step by step", load: () => import("./explain.ts") },
  halt: { description: "the kill switch: a runner sends no order any more", load: () => import("./halt.ts") },
  resume: { description: "takes fabric halt back", load: () => import("./resume.ts") },
  status: { description: "which nodes of a data folder are alive", load: () => import("./status.ts") },
  top: { description: "nodes and rails, live in the terminal", load: () => import("./top.ts") },
  doctor: { description: "what is wrong here, each finding with its remedy", load: () => import("./doctor.ts") },
  data: { description: "verifies, imports and exports candles, tells their gaps", load: () => import("./data.ts") },
  venues: { description: "the exchanges that are known, their rules and sources", load: () => import("./venues.ts") },
  audit: {
    description: "holds the stored candles against the venue's own",
    load: () => import("./audit.ts"),
  },
  chaos: {
    description: "hurts a whole market on purpose, then proves that nothing was lost",
    load: () => import("./chaos.ts"),
  },
  config: { description: "what each flag is when it is not given", load: () => import("./config.ts") },
  licences: { description: "the licence of fabric and of what it carries", load: () => import("./licences.ts") },
};
