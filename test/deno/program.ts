import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { DENO_ENV } from "./deno.ts";

const top = join(import.meta.dirname, "../..");

export interface Ended {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** One runtime that runs files of this tree. */
export class Runtime {
  readonly name: string;
  readonly #command: readonly string[];

  constructor(name: string, command: readonly string[]) {
    this.name = name;
    this.#command = command;
  }

  /** Starts a file of this tree in a process group of its own. */
  start(file: string, words: readonly string[], cwd = top): Program {
    return new Program([...this.#command, join(top, file), ...words], cwd);
  }

  /** Runs a fabric command to its end. */
  async fabric(words: readonly string[], options: { withinMs?: number; cwd?: string } = {}): Promise<Ended> {
    await using program = this.start("cmd/fabric.ts", words, options.cwd);
    return await program.endsWithin(options.withinMs ?? 20_000);
  }

  /** The rows that a fabric command prints as JSON. Throws where it fails or says anything. */
  async rows(words: readonly string[]): Promise<readonly Row[]> {
    const { code, out, err } = await this.fabric(words);
    if (code !== 0 || err !== "") throw new Error(`${words[0]} on ${this.name} exited with ${code}: ${err}`);
    return JSON.parse(out) as Row[];
  }
}

export type Row = Readonly<Record<string, string | number | null>>;

export function bun(): Runtime {
  return new Runtime("Bun", [process.execPath]);
}

export function deno(executable: string): Runtime {
  return new Runtime("Deno", [executable, "run", "--v8-flags=--expose-gc", "-A"]);
}

/** A process with what it printed; disposing kills its whole group. */
export class Program implements AsyncDisposable {
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  #out = "";
  #err = "";

  constructor([program = "", ...words]: readonly string[], cwd: string) {
    const child = spawn(program, words, {
      cwd,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...DENO_ENV },
    });
    child.stdout.on("data", (chunk: Buffer) => {
      this.#out += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      this.#err += chunk.toString();
    });
    this.#process = child;
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, out: this.#out, err: this.#err }));
    });
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error("not started");
    return pid;
  }

  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  /** Waits for text on either output. */
  says(pattern: RegExp, withinMs = 15_000): Promise<RegExpExecArray> {
    return this.until(() => pattern.exec(this.#err) ?? pattern.exec(this.#out), withinMs, `${pattern} to be said`);
  }

  /** As `eventually`; a failure tells what the program has said by then. */
  async until<T>(probe: () => T | Promise<T>, withinMs: number, what: string): Promise<NonNullable<T>> {
    try {
      return await eventually(probe, withinMs, what);
    } catch (error) {
      throw new Error(`${String(error)}; said was: ${this.#out}${this.#err}`, { cause: error });
    }
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** As a terminal does with Ctrl-C. */
  signalGroup(name: NodeJS.Signals): void {
    process.kill(-this.pid, name);
  }

  async stop(withinMs = 5000): Promise<Ended> {
    this.signal("SIGTERM");
    return await this.endsWithin(withinMs);
  }

  async endsWithin(withinMs: number): Promise<Ended> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const fail = () => reject(new Error(`Still running after ${withinMs} ms; said was: ${this.#out}${this.#err}`));
      timer = setTimeout(fail, withinMs);
    });
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.signalGroup("SIGKILL");
    } catch {
      // The whole group has ended already.
    }
    await this.ended;
  }
}
