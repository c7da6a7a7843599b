import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../../cmd/commands.ts";
import { FabricError } from "../../../src/core/errors.ts";
import type { FabricCommand } from "../../../src/role/cli/command.ts";
import { parseStrict } from "../../../src/role/cli/parse.ts";
import { configuredFlags } from "../../../src/role/config/config.ts";
import { Dice } from "../dice.ts";
import { mutated } from "./mutations.ts";
import { refusal, type Tally } from "./tally.ts";
import type { FuzzRange } from "./targets.ts";

const NAMES = Object.keys(COMMANDS);
const SOUND = [
  'data = "lab"\n[up]\nport = 8081\nspeed = 60\nseed = 7\nstrategy = ["sma-cross", "mine.ts"]\n\n[bridge]\nhost = "127.0.0.1"\nport = "0"\n',
  '[market-data]\nfeed = "binance"\nurl = "ws://127.0.0.1:9000"\nsymbols = "BTCUSDT,ETHUSDT"\nhistory = 240\nstay = false\npublish = ["tcp://*:7001"]\n',
  '# a comment\n[runner]\nstrategy = "sma-cross"\nname = "one"\nparams = "fast=5,slow=20"\n[runner.deep]\nkey = 1\n',
  '[sim]\nsymbols = """BTCUSDT"""\nstart = 2025-01-01T00:00:00Z\nseed = 0x2a\nspeed = 1e2\nport = 1_000\n',
  "[query]\njson = true\ncsv = false\n[tail]\ndata = 'C:\\lab'\n[scanner]\nrule = [\"volume-spike\"]\nmarket = []\n",
  'up = { port = 1, host = "localhost" }\n[[bridge]]\nport = 1\n[top]\ndata = ["a", ["b", 2]]\n',
  '"up" . "port" = 9\nsim.seed = 1\nsim.seed = 2\n[__proto__]\npolluted = true\n',
] as const;

/** Mutated fabric.toml files and environment variables, read as every command of the program reads them. */
export async function fuzzConfig({ seed, from, to, folder }: FuzzRange, tally: Tally): Promise<void> {
  const commands = await Promise.all(
    NAMES.map(async (name) => (await COMMANDS[name]?.load())?.default as FabricCommand),
  );
  mkdirSync(join(folder, "home/fabric"), { recursive: true });
  process.env.XDG_CONFIG_HOME = join(folder, "home");
  process.chdir(folder);
  for (let index = from; index < to; index++) {
    tally.reached(index, true);
    const dice = new Dice(seed, index);
    const { kind, bytes } = mutated(dice.pick(SOUND), dice.pick(SOUND), dice);
    writeFileSync(join(folder, dice.oneIn(4) ? "home/fabric/fabric.toml" : "fabric.toml"), bytes);
    const variable = dice.oneIn(4) ? variableOf(bytes, dice) : null;
    if (variable) process.env[variable[0]] = variable[1];
    const command = dice.pick(commands);
    try {
      tally.count(
        kind,
        readBy(command, (what) => tally.fail(index, what)),
      );
    } catch (error) {
      tally.fail(index, error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    if (variable) delete process.env[variable[0]];
    writeFileSync(join(folder, "home/fabric/fabric.toml"), "");
    writeFileSync(join(folder, "fabric.toml"), "");
  }
  if (Object.keys(Object.prototype).length > 0 || "polluted" in {}) tally.fail(to, "Object.prototype has changed");
}

/** An environment variable of ours, its value out of the mutated text (which may hold no NUL). */
function variableOf(bytes: Uint8Array, dice: Dice): readonly [string, string] {
  const section = dice.pick(["UP", "BRIDGE", "SIM", "MARKET_DATA", "RUNNER", "NOPE"]);
  const key = dice.pick(["PORT", "HOST", "SEED", "STRATEGY", "SYMBOLS", "STAY", "OTHER"]);
  const text = new TextDecoder().decode(bytes).replaceAll("\0", "");
  return [`FABRIC_${section}__${key}`, text.slice(0, dice.below(200))];
}

/** The outcome: refused in one line that says where, or flags of the command's own, each of its kind. */
function readBy(command: FabricCommand, fail: (what: string) => void): string {
  let flags: ReturnType<typeof configuredFlags>;
  try {
    flags = configuredFlags(command, NAMES);
  } catch (error) {
    if (!(error instanceof FabricError) || error.code === "internal") throw error;
    if (error.code !== "config") fail(`refused as ${error.code}: ${error.message}`);
    if (/[\n\r]/.test(error.message)) fail(`refused in more than one line: ${JSON.stringify(error.message)}`);
    if (error.message.length > 2000) fail(`refused in ${error.message.length} characters`);
    return refusal(error.message.replaceAll(process.cwd(), "").replace(/\/\S*fabric\.toml/g, "the file"));
  }
  for (const [flag, { value, source }] of flags) {
    const kind = command.args[flag]?.type;
    const isList = command.repeatable?.includes(flag) === true;
    const isSound =
      kind === "boolean"
        ? typeof value === "boolean"
        : isList
          ? Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "")
          : typeof value === "string" && value !== "";
    if (kind === undefined || kind === "positional" || !isSound || source === "")
      fail(`taken for --${flag} (${kind}): ${JSON.stringify(value)} from ${source}`);
  }
  try {
    parseStrict(command, [], flags);
  } catch (error) {
    if (!(error instanceof FabricError) || error.code !== "usage") throw error;
  }
  return flags.size === 0 ? "nothing for this command" : "accepted";
}
