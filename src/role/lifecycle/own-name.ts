import { FabricError } from "../../core/errors.ts";
import { type NodeName, nodeName } from "../../core/symbol.ts";
import type { NodeRole } from "../../core/wire.ts";

/** Names that a role's only node of a folder goes by: another role under one of them would lock that node out. */
const RESERVED: ReadonlySet<string> = new Set(["up", "market-data", "sim", "scanner", "bridge"]);

/** A node's name, which is not another role's own. Throws FabricError "usage". */
export function ownName(text: string, role: NodeRole): NodeName {
  if (RESERVED.has(text) && text !== role) {
    throw new FabricError(
      "usage",
      `Bad --name "${text}" for a ${role}: that name belongs to another role; choose one of your own`,
    );
  }
  return nodeName(text);
}
