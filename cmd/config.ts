import type { FabricCommand } from "../src/role/cli/command.ts";
import { JSON_FLAG, usageError } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: { name: "config", description: "What every flag is when it is not given, and where that value comes from." },
  examples: ["fabric config show", "FABRIC_UP__PORT=9000 fabric config show --command up"],
  args: {
    action: { type: "positional", required: true, description: "show" },
    command: { type: "string", valueHint: "NAME", description: "only this command's" },
    json: JSON_FLAG,
  },
  async run(values) {
    const action = text(values, "action");
    if (action !== "show") throw usageError(`Unknown action "${action}": expected fabric config show`);
    const { COMMANDS } = await import("./commands.ts");
    const names = Object.keys(COMMANDS);
    const wanted = text(values, "command");
    if (wanted !== undefined && !names.includes(wanted))
      throw usageError(`Unknown --command "${wanted}": expected one of ${names.join(", ")}`);
    const entries = Object.entries(COMMANDS).filter(([name]) => wanted === undefined || name === wanted);
    const commands = await Promise.all(entries.map(async ([, entry]) => (await entry.load()).default));
    const { showConfig } = await import("../src/role/config/show.ts");
    return showConfig(commands, names, { json: values.json === true });
  },
};

export default command;
