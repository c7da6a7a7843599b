import type { FabricCommand } from "../src/role/cli/command.ts";
import { durationOf, JSON_FLAG, usageError } from "../src/role/cli/flags.ts";
import { text, whole } from "../src/role/cli/parse.ts";

const MOST_SEED = 2 ** 32 - 1;
const LEAST_FOR_MS = 10_000;
const MOST_FOR_MS = 3_600_000;

const command: FabricCommand = {
  meta: {
    name: "chaos",
    description:
      "Runs a whole market on the simulated exchange and hurts it: kills, freezes, cut wires, wrong clocks, a full disk, lost files. " +
      "Then lets all of it back and reports whether every invariant held. 0: all hold, 65: one is broken, 75: stopped before the verdict.",
  },
  examples: [
    "fabric chaos",
    "fabric chaos --for 5m --seed 7 --json",
    "fabric chaos --kill market-data,runner --stall none --drop none --skew none --disk none --files none",
  ],
  args: {
    data: {
      type: "string",
      valueHint: "DIR",
      description: "where: a new or empty folder, or one of an earlier chaos (a temporary one)",
    },
    for: { type: "string", valueHint: "TIME", description: "how long to hurt it, 10s to 1h (60s)" },
    seed: { type: "string", valueHint: "N", description: "which market and which schedule (random, and told)" },
    kill: {
      type: "string",
      valueHint: "ROLES",
      description: "kill -9: all, none, or some of sim,market-data,runner,scanner,bridge",
    },
    stall: { type: "string", valueHint: "ROLES", description: "SIGSTOP and SIGCONT: the same words" },
    drop: {
      type: "string",
      valueHint: "WIRES",
      description: "cut, stall, slow down, refuse or half-open a wire: all, none, or some of exchange,zmq",
    },
    skew: { type: "string", valueHint: "ROLES", description: "wrong and jumping wall clocks: roles as for --kill" },
    disk: {
      type: "string",
      valueHint: "FAULTS",
      description: "all, none, or some of full,read-only (needs leave to mount)",
    },
    files: {
      type: "string",
      valueHint: "FILES",
      description:
        "deletes, cuts short or (a segment) changes a byte of: all, none, or some of socket,advertisement,run,segment,manifest,published",
    },
    json: JSON_FLAG,
  },
  typedOnly: ["data"],
  async run(values) {
    const { DISK_FAULTS, FILE_FAULTS, listOf, ROLES, WIRES } = await import("../src/role/chaos/wish.ts");
    const forMs = durationOf(values, "for") ?? 60_000;
    if (forMs < LEAST_FOR_MS || forMs > MOST_FOR_MS)
      throw usageError(`Bad --for "${text(values, "for")}": expected a duration from 10s to 1h`);
    const options = {
      forMs,
      seed: whole(values, "seed", 0, MOST_SEED) ?? Math.floor(Math.random() * MOST_SEED),
      kill: listOf("kill", text(values, "kill"), ROLES),
      stall: listOf("stall", text(values, "stall"), ROLES),
      drop: listOf("drop", text(values, "drop"), WIRES),
      skew: listOf("skew", text(values, "skew"), ROLES),
      disk: listOf("disk", text(values, "disk"), DISK_FAULTS),
      files: listOf("files", text(values, "files"), FILE_FAULTS),
      data: text(values, "data"),
      json: values.json === true,
    };
    const { runChaos } = await import("../src/role/chaos/chaos.ts");
    return runChaos(options);
  },
};

export default command;
