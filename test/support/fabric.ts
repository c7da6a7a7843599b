import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { eventually } from "./eventually.ts";

const top = join(import.meta.dir, "../..");

/** The program under test: the binary that FABRIC names, else this source tree under Bun. */
export const FABRIC: readonly string[] = process.env.FABRIC
  ? [resolve(process.env.FABRIC)]
  : [process.execPath, join(top, "cmd/fabric.ts")];

/** Where the recordings are; null (and said so) where there are none. */
export const RECORDINGS: string | null = recordings();

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end, at most `withinMs`. */
export async function fabric(
  words: readonly string[],
  options: { withinMs?: number; cwd?: string; env?: Record<string, string> } = {},
): Promise<Finished> {
  const child = start(words, options);
  const timer = setTimeout(() => child.process.kill("SIGKILL"), options.withinMs ?? 20_000);
  const code = await child.process.exited;
  clearTimeout(timer);
  await child.drained;
  return { code: child.process.signalCode ? null : code, out: child.out(), err: child.err() };
}

export interface Running extends AsyncDisposable {
  readonly process: Bun.Subprocess;
  readonly pid: number;
  out(): string;
  err(): string;
  readonly drained: Promise<unknown>;
  /** Waits for text on stderr. */
  says(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray>;
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/** Starts a command that goes on; disposing kills it. */
export function start(words: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): Running {
  const child = Bun.spawn([...FABRIC, ...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  let out = "";
  let err = "";
  const gather = async (stream: ReadableStream<Uint8Array>, add: (text: string) => void) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) add(decoder.decode(chunk, { stream: true }));
  };
  const drained = Promise.all([
    gather(child.stdout, (text) => {
      out += text;
    }),
    gather(child.stderr, (text) => {
      err += text;
    }),
  ]);
  return {
    process: child,
    pid: child.pid,
    out: () => out,
    err: () => err,
    drained,
    says: (pattern, withinMs = 10_000) =>
      eventually(() => pattern.exec(err), withinMs, `${words.join(" ")} to say ${pattern}; it said: ${err}`),
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      return child.exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

function recordings(): string | null {
  const folder = resolve(process.env.MARKET_RECORDINGS ?? join(top, "../shared/data"));
  if (existsSync(folder)) return folder;
  console.error(`No recordings at ${folder}: tests on real recordings are skipped (set MARKET_RECORDINGS)`);
  return null;
}
