import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { eventually } from "../support/eventually.ts";
import { FABRIC } from "../support/fabric.ts";

/** A `fabric up` in a process group of its own, as a shell's job is; disposing it kills whatever names its data folder. */
export class Up implements AsyncDisposable {
  readonly data: string;
  readonly port: number;
  readonly startedAt = performance.now();
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  #log = "";

  private constructor(data: string, port: number, process: ChildProcess) {
    this.data = data;
    this.port = port;
    this.#process = process;
    const drained: Promise<void>[] = [];
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
      if (stream) drained.push(new Promise((done) => stream.once("close", done)));
    }
    this.#ended = new Promise((done) => process.once("exit", (code) => done(code)));
  }

  static start(data: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Up {
    const port = freePort();
    const [program = "", ...first] = FABRIC;
    const child = spawn(program, [...first, "up", "--data", data, "--port", `${port}`, ...words], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    return new Up(data, port, child);
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error("up was not started");
    return pid;
  }

  /** Everything it printed so far. */
  get log(): string {
    return this.#log;
  }

  /** The exit code; null where a signal ended it. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  /** To the whole process group, as a terminal does with Ctrl-C. */
  signalGroup(name: NodeJS.Signals): void {
    process.kill(-this.pid, name);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** As `eventually`; a failure tells all that was printed. */
  async until<T>(probe: () => T | Promise<T>, withinMs: number, what: string): Promise<NonNullable<T>> {
    try {
      return await eventually(probe, withinMs, what);
    } catch (error) {
      throw new Error(`Not within ${withinMs} ms: ${what}; up said:\n${this.#log}`, { cause: error });
    }
  }

  says(pattern: RegExp, withinMs = 15_000): Promise<RegExpExecArray> {
    return this.until(() => pattern.exec(this.#log), withinMs, `up to say ${pattern}`);
  }

  /** The newest candles as the page gets them; throws while there are none. */
  async candles(symbol: string, limit = 3): Promise<readonly { readonly openTime: number }[]> {
    const url = `http://127.0.0.1:${this.port}/api/candles?symbol=${symbol}&limit=${limit}`;
    const reply = await fetch(url, { signal: AbortSignal.timeout(2000) });
    return ((await reply.json()) as { candles: { openTime: number }[] }).candles;
  }

  async firstCandle(symbol: string, withinMs = 15_000): Promise<number> {
    const found = await this.until(
      async () => (await this.candles(symbol)).at(0),
      withinMs,
      `a candle of ${symbol} on the page`,
    );
    return found.openTime;
  }

  /** Pids of its children by node name. */
  nodes(): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const { pid, parent, words } of processesOf(this.data)) {
      const role = words[FABRIC.length] ?? "";
      const name = role === "runner" ? (words[words.indexOf("--name") + 1] ?? role) : role;
      if (parent === this.pid) found.set(name, pid);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    for (const { pid } of processesOf(this.data)) kill(pid);
    await this.#ended;
    await eventually(() => processesOf(this.data).length === 0, 5000, "every process of up to be gone");
  }
}

export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly words: readonly string[];
}

/** Live processes (no zombies) that have `text` in one of their arguments. Linux only. */
export function processesOf(text: string): readonly ProcessFacts[] {
  const found: ProcessFacts[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      if (!words.includes(text) && !words.includes(resolve(text))) continue;
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state !== "Z" && state !== "X") found.push({ pid: Number(name), parent: Number(parent), words });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** kill -9; whether there was such a process. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

/** A port that was free a moment ago. */
export function freePort(): number {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const { port } = server;
  void server.stop(true);
  return port ?? 0;
}
