import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";
import { platform } from "#platform";
import { FabricError, messageOf } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import type { FabricCommand } from "../cli/command.ts";
import { SUPERVISED } from "../lifecycle/stop-signal.ts";

/** A flag's value that no flag gave, and where it comes from: an environment variable or a file, by name. */
export interface Configured {
  readonly value: string | boolean | readonly string[];
  readonly source: string;
}

const FILE = "fabric.toml";

/**
 * What the environment and the files say for a command's flags, by flag. FABRIC_UP__PORT comes before ./fabric.toml ([up] port),
 * that before the one in $XDG_CONFIG_HOME/fabric; `data` may stand above all sections, FABRIC_DATA likewise. Children of `up` have
 * their flags from it and look nowhere else. Throws "config" for an unknown section or key (naming the nearest), a value of the
 * wrong kind, or a file that is no TOML.
 */
export function configuredFlags(command: FabricCommand, commands: readonly string[]): ReadonlyMap<string, Configured> {
  const found = new Map<string, Configured>();
  if (process.env[SUPERVISED] === "1") return found;
  for (const path of [userFile(), resolve(FILE)])
    if (platform.files.stat(path)) readFile(path, command, commands, found);
  if (process.env.FABRIC_DATA !== undefined && takesData(command)) {
    found.set("data", { value: process.env.FABRIC_DATA, source: "FABRIC_DATA" });
  }
  readEnvironment(command, commands, found);
  return found;
}

/** Whether the one data folder of everything is this command's, too; chaos wants one of its own, typed or temporary. */
function takesData(command: FabricCommand): boolean {
  return "data" in command.args && command.typedOnly?.includes("data") !== true;
}

function userFile(): string {
  return join(process.env.XDG_CONFIG_HOME ?? join(homedir(), ".config"), "fabric", FILE);
}

function readFile(
  path: string,
  command: FabricCommand,
  commands: readonly string[],
  found: Map<string, Configured>,
): void {
  let file: Readonly<Record<string, unknown>>;
  try {
    file = parse(platform.files.readText(path));
  } catch (error) {
    if (error instanceof FabricError) throw error;
    throw new FabricError("config", `Cannot read ${path}: expected TOML, found: ${messageOf(error).split("\n")[0]}`, {
      cause: error,
    });
  }
  if (file.data !== undefined && takesData(command)) set(command, "data", file.data, `${path} data`, found);
  for (const [section, content] of Object.entries(file)) {
    if (section === "data") continue;
    checkName("section", section, [...commands, "data"], path);
    if (typeof content !== "object" || content === null || Array.isArray(content)) {
      throw new FabricError("config", `Bad ${path}: expected [${section}] to be a section of keys, found a value`);
    }
    if (section !== command.meta.name) continue;
    for (const [key, value] of Object.entries(content)) {
      checkName("key", key, flagsOf(command), `${path} [${section}]`);
      set(command, key, value, `${path} [${section}] ${key}`, found);
    }
  }
}

function readEnvironment(command: FabricCommand, commands: readonly string[], found: Map<string, Configured>): void {
  const sections = new Map(commands.map((name) => [upper(name), name]));
  const keys = new Map(flagsOf(command).map((name) => [upper(name), name]));
  for (const [variable, value] of Object.entries(process.env)) {
    const [, section, key] = /^FABRIC_([A-Z_]+?)__([A-Z_]+)$/.exec(variable) ?? [];
    if (section === undefined || key === undefined || value === undefined) continue;
    checkName("section", section, [...sections.keys()], `environment variable ${variable}`);
    if (sections.get(section) !== command.meta.name) continue;
    checkName("key", key, [...keys.keys()], `environment variable ${variable}`);
    const flag = keys.get(key) ?? key;
    const isSwitch = command.args[flag]?.type === "boolean" && (value === "true" || value === "false");
    const list = command.repeatable?.includes(flag) ? value.split(",") : value;
    set(command, flag, isSwitch ? value === "true" : list, variable, found);
  }
}

function set(
  command: FabricCommand,
  flag: string,
  value: unknown,
  source: string,
  found: Map<string, Configured>,
): void {
  if (command.typedOnly?.includes(flag)) {
    throw new FabricError("config", `Cannot take ${source}: --${flag} counts only where it is typed, each time`);
  }
  const repeatable = command.repeatable?.includes(flag) === true;
  const kind =
    command.args[flag]?.type === "boolean" ? "true or false" : repeatable ? "a list of texts" : "a text or a number";
  const texts = Array.isArray(value) ? value : [value];
  const isText = (item: unknown) => (typeof item === "string" && item !== "") || typeof item === "number";
  if (
    kind === "true or false"
      ? typeof value !== "boolean"
      : !texts.every(isText) || (Array.isArray(value) && !repeatable)
  ) {
    const found = command.secret?.includes(flag) ? "something else" : JSON.stringify(value);
    throw new FabricError("config", `Bad ${source}: expected ${kind}, found ${found}`);
  }
  const taken = typeof value === "boolean" ? value : repeatable ? texts.map(String) : String(value);
  found.set(flag, { value: taken, source });
}

function checkName(what: string, name: string, known: readonly string[], where: string): void {
  if (known.includes(name)) return;
  throw new FabricError("config", `Unknown ${what} "${name}" in ${where}${didYouMean(name, known)}`);
}

function flagsOf(command: FabricCommand): readonly string[] {
  return Object.entries(command.args).flatMap(([name, def]) => (def.type === "positional" ? [] : [name]));
}

function upper(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
