import type { Tally } from "./tally.ts";

/** Which cases to run: those of `seed` from `from` up to `to`, exclusive. */
export interface FuzzRange {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** Empty, and the target's own; removed afterwards. */
  readonly folder: string;
}

export interface FuzzTarget {
  readonly about: string;
  /** How many cases the long size runs, and the one for CI. */
  readonly long: number;
  readonly ci: number;
  /** Cases that run together: what is told of one that ends the process is true of its group. */
  readonly step: number;
  /** Longest a group of cases may take before the run counts as hanging, ms. */
  readonly stallMs: number;
  load(): Promise<(range: FuzzRange, tally: Tally) => Promise<void>>;
}

export const FUZZ_TARGETS: Readonly<Record<string, FuzzTarget>> = {
  wire: {
    about: "frames at real SUB sockets: the bridge's intake, the latest-wins subscriber, the provider",
    long: 1_000_000,
    ci: 100_000,
    step: 256,
    stallMs: 20_000,
    load: async () => (await import("./wire.ts")).fuzzWire,
  },
  adapter: {
    about: "venue frames at the frame reader, a tenth of them over a real WebSocket into feed and ingest",
    long: 200_000,
    ci: 20_000,
    step: 200,
    stallMs: 30_000,
    load: async () => (await import("./adapter.ts")).fuzzAdapter,
  },
  recordings: {
    about: "recordings and trade files, packed or not: replayed into an ingest, and read by the simulated exchange",
    long: 20_000,
    ci: 2_000,
    step: 1,
    stallMs: 20_000,
    load: async () => (await import("./recordings.ts")).fuzzRecordings,
  },
  config: {
    about: "fabric.toml files and environment variables, as every command reads them",
    long: 20_000,
    ci: 5_000,
    step: 1,
    stallMs: 10_000,
    load: async () => (await import("./config.ts")).fuzzConfig,
  },
  sql: {
    about: "SQL through the query path, beside files it must not read and a store it must not change",
    long: 20_000,
    ci: 1_000,
    step: 1,
    stallMs: 20_000,
    load: async () => (await import("./sql.ts")).fuzzSql,
  },
};
