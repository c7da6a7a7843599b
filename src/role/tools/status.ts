import { platform } from "#platform";
import { toRfc3339 } from "../../core/time.ts";
import { liveNodes } from "../lifecycle/advertisement.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { printJson, printTable } from "./print.ts";

/** Prints the live nodes of a data folder: one row each. */
export async function runStatus(options: {
  readonly json: boolean;
  readonly data: string | undefined;
}): Promise<number> {
  const folder = dataFolder(options.data);
  const nodes = liveNodes(folder.run, platform.files, platform.openSqlite).map((node) => ({
    node: node.node,
    role: node.role,
    mode: node.mode ?? null,
    pid: node.pid,
    version: node.version,
    started: toRfc3339(node.startedAt),
    endpoints: node.endpoints.join(" "),
  }));
  if (options.json) printJson(nodes);
  else if (nodes.length > 0) printTable(nodes);
  else process.stderr.write(`fabric: no node is alive in ${folder.path}; start one, for example fabric up\n`);
  return 0;
}
