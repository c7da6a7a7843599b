import { runFabric } from "../src/role/cli/main.ts";
import { VERSION } from "../src/role/version.ts";
import { COMMANDS } from "./commands.ts";

process.exit(await runFabric(COMMANDS, VERSION, process.argv.slice(2)));
