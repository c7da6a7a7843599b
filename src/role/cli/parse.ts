import { parseArgs } from "node:util";
import { FabricError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import type { FabricCommand, Values } from "./command.ts";

/**
 * Parses a subcommand's words strictly: an unknown flag, a missing value, a flag given twice, a word too many or one too few is
 * FabricError "usage" that says what was found and what comes nearest. `configured` stands in for flags that are not given.
 */
export function parseStrict(
  command: FabricCommand,
  words: readonly string[],
  configured: ReadonlyMap<string, { readonly value: string | boolean | readonly string[] }> = new Map(),
): Values {
  const flags = new Map(Object.entries(command.args).filter(([, def]) => def.type !== "positional"));
  const positionals = Object.entries(command.args).filter(([, def]) => def.type === "positional");
  const repeatable = new Set(command.repeatable);
  const values: Record<string, string | boolean | readonly string[] | undefined> = {};
  for (const [name, def] of Object.entries(command.args))
    if (def.default !== undefined) values[name] = def.default as string;
  for (const name of repeatable) values[name] = [];
  for (const [name, { value }] of configured) values[name] = value;
  const given = new Set<string>();
  const extra: string[] = [];
  for (const token of tokensOf(words, flags)) {
    if (token.kind === "positional") {
      extra.push(token.value);
      continue;
    }
    if (token.kind !== "option") continue;
    const name = longName(token.name, flags);
    const def = name === null ? undefined : flags.get(name);
    if (name === null || def === undefined) {
      const known = [...flags.keys()].map((flag) => `--${flag}`);
      throw usage(command, `Unknown flag ${token.rawName}${didYouMean(token.rawName, known)}`);
    }
    if (command.configuredOnly?.includes(name)) {
      const section = command.meta.name;
      throw usage(
        command,
        `--${name} is configuration, not a flag: set ${name} under [${section}] in fabric.toml, or ${variableOf(section, name)}`,
      );
    }
    const isFirst = !given.has(name);
    if (!isFirst && !repeatable.has(name)) throw usage(command, `Flag --${name} is given twice`);
    given.add(name);
    if (def.type === "boolean") {
      if (token.value !== undefined) throw usage(command, `Flag --${name} takes no value, found "${token.value}"`);
      values[name] = true;
      continue;
    }
    if (token.value === undefined || token.value === "" || (!token.inlineValue && token.value.startsWith("--"))) {
      throw usage(command, `Flag --${name} needs a value${def.valueHint ? ` (${def.valueHint})` : ""}`);
    }
    values[name] = repeatable.has(name) ? [...(isFirst ? [] : list(values, name)), token.value] : token.value;
  }
  for (const [name, def] of positionals) {
    const word = extra.shift();
    if (word !== undefined) values[name] = repeatable.has(name) ? [word, ...extra.splice(0)] : word;
    else if (def.required)
      throw usage(command, `Missing ${name.toUpperCase()}: expected ${def.description ?? "a value is needed"}`);
  }
  if (extra.length > 0) throw usage(command, `Unexpected word "${extra[0]}"`);
  for (const [name, def] of flags) {
    if (def.required && values[name] === undefined)
      throw usage(command, `Missing --${name}: expected ${def.description ?? "a value is needed"}`);
  }
  return values;
}

/** The text of a flag that may be absent. */
export function text(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** The values of a repeatable flag. */
export function list(values: Values, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value : [];
}

/** A flag's number within [least, most]; `fallback` where it is absent. Throws "usage". */
export function number(values: Values, name: string, least: number, most: number): number | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  const parsed = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (!(parsed >= least && parsed <= most)) {
    throw new FabricError("usage", `Bad --${name} "${value}": expected a number from ${least} to ${most}`);
  }
  return parsed;
}

/** As `number`, whole. */
export function whole(values: Values, name: string, least: number, most: number): number | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  const parsed = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(parsed >= least && parsed <= most)) {
    throw new FabricError("usage", `Bad --${name} "${value}": expected a whole number from ${least} to ${most}`);
  }
  return parsed;
}

/** The environment variable of a command's key. */
export function variableOf(section: string, key: string): string {
  const upper = (text: string) => text.toUpperCase().replaceAll("-", "_");
  return `FABRIC_${upper(section)}__${upper(key)}`;
}

type Flags = ReadonlyMap<string, { readonly type?: string | undefined; readonly alias?: string | readonly string[] }>;

function tokensOf(words: readonly string[], flags: Flags) {
  const options: Record<string, { type: "string" | "boolean"; short?: string; multiple: true }> = {};
  for (const [name, def] of flags) {
    const short = aliasesOf(def.alias).find((alias) => alias.length === 1);
    options[name] = {
      type: def.type === "boolean" ? "boolean" : "string",
      multiple: true,
      ...(short ? { short } : {}),
    };
  }
  return parseArgs({ args: [...words], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function longName(name: string, flags: Flags): string | null {
  if (flags.has(name)) return name;
  for (const [long, def] of flags) if (aliasesOf(def.alias).includes(name)) return long;
  return null;
}

function aliasesOf(alias: string | readonly string[] | undefined): readonly string[] {
  if (alias === undefined) return [];
  return typeof alias === "string" ? [alias] : alias;
}

function usage(command: FabricCommand, what: string): FabricError {
  return new FabricError("usage", `${what} (see fabric ${command.meta.name} --help)`);
}
