import type { FabricCommand } from "../cli/command.ts";
import { printJson, printTable } from "../tools/print.ts";
import { configuredFlags } from "./config.ts";

/** Prints what each flag of the commands would be without being given, and where that comes from. */
export async function showConfig(
  commands: readonly FabricCommand[],
  names: readonly string[],
  options: { readonly json: boolean },
): Promise<number> {
  const rows = commands.flatMap((command) => {
    const configured = configuredFlags(command, names);
    return Object.entries(command.args).flatMap(([flag, def]) => {
      if (def.type === "positional") return [];
      const { value, source } = configured.get(flag) ?? { value: def.default ?? null, source: "default" };
      const shown = Array.isArray(value) ? value.join(",") : value;
      const isSecret = command.secret?.includes(flag) === true && configured.has(flag);
      return [{ command: command.meta.name, flag, value: isSecret ? "(not shown)" : shown, source }];
    });
  });
  if (options.json) printJson(rows);
  else printTable(rows);
  return 0;
}
