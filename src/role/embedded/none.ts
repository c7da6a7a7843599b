import type { Embedded } from "./contract.ts";

/** From source nothing is embedded: natives come from node_modules, the dashboard from dist/dashboard. */
export const embedded: Embedded | null = null;
