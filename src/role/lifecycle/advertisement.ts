import { join } from "node:path";
import * as v from "valibot";
import type { Files, OpenSqlite } from "../../core/env.ts";
import { isAlive } from "./alive-lock.ts";

const Advertisement = v.object({
  node: v.string(),
  role: v.picklist(["market-data", "runner", "scanner", "bridge", "sim"]),
  pid: v.number(),
  version: v.string(),
  epoch: v.string(),
  /** Wall ms. */
  startedAt: v.number(),
  /** Where it publishes. */
  endpoints: v.array(v.string()),
  /** Of a node that trades. */
  mode: v.exactOptional(v.picklist(["paper", "live"])),
});

/** What a node says of itself in <data>/run/<node>.json; true only while its lock is held. */
export type Advertisement = v.InferOutput<typeof Advertisement>;

export function advertise(runFolder: string, files: Files, advertisement: Advertisement): void {
  files.writeDurably(join(runFolder, `${advertisement.node}.json`), textOf(advertisement));
}

/** Whether just this stands in the folder. */
export function isAdvertised(runFolder: string, files: Files, advertisement: Advertisement): boolean {
  try {
    return files.readText(join(runFolder, `${advertisement.node}.json`)) === textOf(advertisement);
  } catch {
    return false;
  }
}

export function withdraw(runFolder: string, files: Files, node: string): void {
  files.remove(join(runFolder, `${node}.json`));
}

/** What is written for one node, whether it lives or not; null where there is nothing readable. */
export function readAdvertisement(runFolder: string, files: Files, node: string): Advertisement | null {
  try {
    const parsed = v.safeParse(Advertisement, JSON.parse(files.readText(join(runFolder, `${node}.json`))));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

function textOf(advertisement: Advertisement): string {
  return `${JSON.stringify(advertisement, null, 2)}\n`;
}

/** Every node of the folder that is alive now, by name. Blocks for some tenths of a ms per node. */
export function liveNodes(runFolder: string, files: Files, openSqlite: OpenSqlite): readonly Advertisement[] {
  const live: Advertisement[] = [];
  for (const name of files.list(runFolder)) {
    if (!name.endsWith(".json")) continue;
    const found = readAdvertisement(runFolder, files, name.slice(0, -".json".length));
    if (found && isAlive(runFolder, found.node, openSqlite)) live.push(found);
  }
  return live;
}
