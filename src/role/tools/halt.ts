import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { nodeName } from "../../core/symbol.ts";
import { readHalts, removeHalt, writeHalt } from "../../execution/halt-switch.ts";
import { liveNodes } from "../lifecycle/advertisement.ts";
import { type DataFolder, dataFolder } from "../lifecycle/data-folder.ts";
import { knownRunners } from "./known-runners.ts";
import { printJson } from "./print.ts";

export interface HaltOptions {
  /** Null: every runner of the folder, also those to come. */
  readonly runner: string | null;
  /** The runner need not be there yet. */
  readonly isNew: boolean;
  readonly json: boolean;
  readonly data: string | undefined;
}

/** Writes the kill switch's file: from then on nothing is sent, also after a restart, until it is resumed. */
export async function runHalt(options: HaltOptions & { readonly reason: string | undefined }): Promise<number> {
  const folder = existing(dataFolder(options.data));
  const isKnown = checkName(folder, options);
  const reason = options.reason ?? null;
  writeHalt(platform.files, folder.path, options.runner, { reason, at: platform.clock.nowMs() });
  const who = options.runner ?? "every runner";
  tell(
    options,
    "halted",
    reason,
    `halted ${who}${reason === null ? "" : `: ${reason}`}; ${effect(folder, options.runner, isKnown)}`,
  );
  return 0;
}

/** Takes the kill switch back. */
export async function runResume(options: HaltOptions): Promise<number> {
  const folder = existing(dataFolder(options.data));
  checkName(folder, options);
  const was = removeHalt(platform.files, folder.path, options.runner);
  const who = options.runner ?? "every runner";
  const left = readHalts(platform.files, folder.path);
  const others = options.runner === null ? [...left.keys()].filter((name) => name !== null) : [];
  const still = left.has(null)
    ? `; it is still halted with all the others (fabric resume --all)`
    : others.length > 0
      ? `; still halted by name: ${others.join(", ")}`
      : "";
  const state = options.runner !== null && left.has(null) ? "halted" : "resumed";
  tell(
    options,
    state,
    null,
    was ? `resumed ${who}${still}` : `${who} was not halted${options.runner === null ? " with --all" : ""}${still}`,
    was,
  );
  return 0;
}

/** A typing slip in --data must not make a kill switch that nobody looks at. */
function existing(folder: DataFolder): DataFolder {
  if (platform.files.stat(folder.path)?.isDirectory) return folder;
  throw new FabricError(
    "missing-input",
    `There is no data folder ${folder.path}: expected the one of the runners (--data)`,
  );
}

/** Whether the folder knows the runner. A name that is nearly a known one is a slip, unless it is said to be new. */
function checkName(folder: DataFolder, { runner, isNew }: HaltOptions): boolean {
  if (runner === null) return true;
  const known = knownRunners(folder);
  if (known.includes(nodeName(runner))) return true;
  const meant = isNew ? null : nearest(runner, known);
  if (meant === null) return false;
  throw new FabricError(
    "missing-input",
    `There is no runner "${runner}" in ${folder.path}; did you mean "${meant}"? (--new where it is yet to be made)`,
  );
}

/** What the halt does, for people. */
function effect(folder: DataFolder, runner: string | null, isKnown: boolean): string {
  const live = liveNodes(folder.run, platform.files, platform.openSqlite).filter(
    ({ role, node }) => role === "runner" && (runner === null || node === runner),
  );
  const stays = "orders that are open stay open; fabric resume takes it back";
  if (live.length > 0)
    return `nothing more is sent by ${live.map(({ node, pid }) => `${node} (process ${pid})`).join(", ")}; ${stays}`;
  if (runner === null || isKnown) return `none is running now, and they start halted; ${stays}`;
  return `there is no runner of that name yet, and it will start halted; ${stays}`;
}

/** `was`: whether there was a halt of that name to take back; undefined where it is not about that. */
function tell({ runner, json }: HaltOptions, state: string, reason: string | null, line: string, was?: boolean): void {
  if (json)
    printJson([{ runner, state, reason, ...(was === undefined ? {} : { was: was ? "halted" : "not halted" }) }]);
  else process.stderr.write(`fabric: ${line}\n`);
}
