import { parseArgs } from "node:util";
import { type Cuts, FAULTS, type Fault } from "./scenario.ts";

export interface SimOptions {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly seed: number | null;
  readonly trace: number;
  readonly bug: string | null;
  /** Ends at the first seed that fails. */
  readonly first: boolean;
  readonly worker: boolean;
  /** The product with tiny bounds: see tight-bounds.ts. */
  readonly tight: boolean;
  /** The table of planted bugs. */
  readonly bugs: boolean;
  readonly cuts: Cuts;
}

export function parseOptions(argv: readonly string[]): SimOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      from: { type: "string", default: "1" },
      seeds: { type: "string", default: "1000" },
      jobs: { type: "string", default: "2" },
      seed: { type: "string" },
      trace: { type: "boolean", default: false },
      bug: { type: "string" },
      first: { type: "boolean", default: false },
      worker: { type: "boolean", default: false },
      tight: { type: "boolean", default: false },
      bugs: { type: "boolean", default: false },
      off: { type: "string", default: "" },
      hurt: { type: "string" },
      runners: { type: "string" },
      bridge: { type: "string" },
      telemetry: { type: "boolean", default: false },
      "no-scanner": { type: "boolean", default: false },
    },
  });
  const off = values.off.split(",").filter(Boolean);
  for (const fault of off) if (!isFault(fault)) throw new Error(`No fault "${fault}": expected ${FAULTS.join(", ")}`);
  return {
    from: Number(values.from),
    seeds: Number(values.seeds),
    jobs: Number(values.jobs),
    seed: values.seed === undefined ? null : Number(values.seed),
    trace: values.trace ? 4000 : 0,
    bug: values.bug ?? null,
    first: values.first,
    worker: values.worker,
    tight: values.tight,
    bugs: values.bugs,
    cuts: {
      off: new Set(off.filter(isFault)),
      hurtMs: values.hurt === undefined ? null : Number(values.hurt),
      runners: values.runners === undefined ? null : Number(values.runners),
      bridge: values.bridge === undefined ? null : values.bridge === "1",
      telemetry: values.telemetry,
      scanner: !values["no-scanner"],
    },
  };
}

function isFault(text: string): text is Fault {
  return (FAULTS as readonly string[]).includes(text);
}
