import type { ArgsDef, CommandDef } from "citty";

/** The flags of one subcommand after the strict layer: text, switches, and lists for those that may be repeated. */
export type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/**
 * A subcommand is data plus one call. `args` and `meta` are citty's; citty alone would accept unknown flags and extra words,
 * so `parse.ts` checks them first. Files that define one have no effect when imported.
 */
export interface FabricCommand {
  readonly meta: { readonly name: string; readonly description: string };
  /** Shown first in --help: command lines as a user would type them. */
  readonly examples: readonly string[];
  readonly args: ArgsDef;
  /** Flags that may be given several times; their value is a list. */
  readonly repeatable?: readonly string[];
  /** Flags that count only where somebody types them: consent is not configured. */
  readonly typedOnly?: readonly string[];
  /** Keys of the configuration that are no flags: what must be written down first, and names of secrets' files. */
  readonly configuredOnly?: readonly string[];
  /** Flags whose value is never shown. */
  readonly secret?: readonly string[];
  /** Runs to the end; its number is the exit code (0 where there is none). Errors carry theirs. */
  run(values: Values): Promise<number | undefined>;
}

/** The same as citty sees it, for its usage text. */
export function asCitty(command: FabricCommand): CommandDef {
  return { meta: { name: `fabric ${command.meta.name}`, description: command.meta.description }, args: command.args };
}
