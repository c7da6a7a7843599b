import { reportBug, runFabric } from "../src/role/cli/main.ts";
import { endOnStrayErrors } from "../src/role/lifecycle/stray-errors.ts";
import { VERSION } from "../src/role/version.ts";
import { COMMANDS } from "./commands.ts";

endOnStrayErrors((error) => process.exit(reportBug(error)));
process.exit(await runFabric(COMMANDS, VERSION, process.argv.slice(2)));
