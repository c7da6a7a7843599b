import { exitCodeOf, FabricError, messageOf } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import type { FabricCommand } from "./command.ts";

/** A subcommand's line in the overview and where its code is, loaded only when it is asked for. */
export interface CommandEntry {
  readonly description: string;
  load(): Promise<{ readonly default: FabricCommand }>;
}

/**
 * Runs one command line and gives the exit code. A user's error is one clear line on stderr; a bug is its stack. Data goes to
 * stdout, everything else to stderr.
 */
export async function runFabric(
  table: Readonly<Record<string, CommandEntry>>,
  version: string,
  argv: readonly string[],
): Promise<number> {
  quietOnBrokenPipe();
  const code = await runLine(table, version, argv);
  await written(process.stdout);
  return code;
}

async function runLine(
  table: Readonly<Record<string, CommandEntry>>,
  version: string,
  argv: readonly string[],
): Promise<number> {
  const [word, ...rest] = argv;
  try {
    if (word === "--version" || word === "-v" || word === "version") return print(version);
    if (word === undefined || word === "--help" || word === "-h" || word === "help") {
      const about = word === "help" ? rest[0] : undefined;
      if (about === undefined) return print(overview(table, version), word === undefined ? 64 : 0);
      return print(await usageOf(await load(table, about)));
    }
    const command = await load(table, word);
    if (rest.includes("--help") || rest.includes("-h")) return print(await usageOf(command));
    const [{ parseStrict }, { configuredFlags }] = await Promise.all([
      import("./parse.ts"),
      import("../config/config.ts"),
    ]);
    return (await command.run(parseStrict(command, rest, configuredFlags(command, Object.keys(table))))) ?? 0;
  } catch (error) {
    process.stderr.write(
      error instanceof FabricError && error.code !== "internal"
        ? `fabric: ${oneLine(messageOf(error))}\n`
        : bugReport(error),
    );
    return exitCodeOf(error);
  }
}

async function load(table: Readonly<Record<string, CommandEntry>>, name: string): Promise<FabricCommand> {
  const entry = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!entry)
    throw new FabricError(
      "usage",
      `Unknown ${name.startsWith("-") ? "flag" : "command"} "${name}"${didYouMean(name, Object.keys(table))} (see fabric --help)`,
    );
  return (await entry.load()).default;
}

function overview(table: Readonly<Record<string, CommandEntry>>, version: string): string {
  const width = Math.max(...Object.keys(table).map((name) => name.length));
  const lines = Object.entries(table).map(([name, entry]) => `  ${name.padEnd(width)}  ${entry.description}`);
  return [
    `fabric ${version}: the real-time event fabric of a trading platform, in one binary`,
    "",
    "  fabric up                              a simulated exchange, every role and the dashboard",
    "  fabric runner --strategy sma-cross     a strategy on paper, beside a running market-data",
    '  fabric query "from candle limit 5"     read-only SQL on the store',
    "",
    "Commands (fabric COMMAND --help says more):",
    ...lines,
  ].join("\n");
}

async function usageOf(command: FabricCommand): Promise<string> {
  const [{ renderUsage }, { asCitty }] = await Promise.all([import("citty"), import("./command.ts")]);
  const usage = await renderUsage(asCitty(command));
  const plain = process.stdout.isTTY && !process.env.NO_COLOR ? usage : stripColours(usage);
  return ["Examples:", ...command.examples.map((line) => `  ${line}`), "", plain].join("\n");
}

function stripColours(styled: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
  return styled.replace(/\u001b\[[0-9;]*m/g, "");
}

function print(line: string, code = 0): number {
  (code === 0 ? process.stdout : process.stderr).write(`${line}\n`);
  return code;
}

/** What a library says may span lines, and what a user gave may hold anything: one clean line for each error. */
function oneLine(message: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return message.replace(/[\u0000-\u0020\u007f]+/g, " ").trim();
}

/** Says on stderr that something happened that never should, and gives the exit code of a bug. */
export function reportBug(error: unknown): number {
  process.stderr.write(bugReport(error));
  return 70;
}

function bugReport(error: unknown): string {
  return `fabric: this is a bug in fabric: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
}

/** A reader that went away (head, a closed pager) is no error: the command ends quietly. */
function quietOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}

/**
 * Ends the stream and resolves once all of it is handed on, or its reader is gone: process.exit would drop what a slow reader has
 * not taken. (Bun calls back for an empty write before what was written earlier has left; for the end it does not.)
 */
function written(stream: NodeJS.WriteStream): Promise<void> {
  if (!stream.writable) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once("error", () => resolve());
    stream.once("close", () => resolve());
    stream.end(() => resolve());
  });
}
