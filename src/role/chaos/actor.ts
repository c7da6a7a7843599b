import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Clock } from "../../core/env.ts";
import { messageOf } from "../../core/errors.ts";
import { SUPERVISED } from "../lifecycle/stop-signal.ts";
import { CLOCK_SKEW } from "../platform/skew.ts";
import type { Part } from "./cast.ts";

/** In the environment of whatever a run of chaos starts: its work folder, which is unique. */
export const CHAOS_MARK = "FABRIC_CHAOS";

/** Lines kept of what one node says; older ones are dropped. */
const KEPT_LINES = 2000;

/** How a node's process ended. `ours`: by our own kill, or by the stop it was asked for. */
export interface Exit {
  readonly node: string;
  readonly role: Part["role"];
  readonly pid: number;
  readonly code: number | null;
  readonly signal: string | null;
  readonly ours: boolean;
  readonly upMs: number;
  /** What it said last. */
  readonly lastLine: string;
}

export interface ActorDeps {
  /** This run's mark. */
  readonly mark: string;
  readonly clock: Clock;
  onExit(exit: Exit): void;
}

/** One node as a child process that chaos starts, freezes and kills. It ends by itself when chaos is gone (see stop-signal.ts). */
export class Actor {
  readonly part: Part;
  readonly #command: readonly string[];
  readonly #deps: ActorDeps;
  readonly #lines: string[] = [];
  #process: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #frozen = false;
  #doomed = false;
  #killed = false;
  #startedMs = 0;
  #lastExit: Exit | null = null;
  starts = 0;
  /** Somebody needs it alive and awake for a moment: it is not killed or frozen meanwhile. */
  held = false;

  constructor(part: Part, program: readonly string[], deps: ActorDeps) {
    this.part = part;
    this.#command = [...program, ...part.words];
    this.#deps = deps;
  }

  get name(): string {
    return this.part.name;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** It was killed or asked to end, and its process is not gone yet. */
  get doomed(): boolean {
    return this.#doomed && this.#process !== null;
  }

  /** It runs, and nobody asked it to end. */
  get living(): boolean {
    return this.#process !== null && !this.#doomed;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** Ms since its newest start; 0 while it is down. */
  get upMs(): number {
    return this.#process === null ? 0 : this.#deps.clock.monotonicMs() - this.#startedMs;
  }

  /** What it said, oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Nothing where it runs. `skew`: its wall clock's error, as FABRIC_CLOCK_SKEW_MS takes it; null for a right clock. */
  start(skew: string | null): void {
    if (this.#process !== null) return;
    const [program = "", ...words] = this.#command;
    const child = spawn(program, words, {
      stdio: ["pipe", "pipe", "pipe"],
      // Where no fabric.toml of somebody else's is.
      cwd: this.#deps.mark,
      env: environmentOf(this.part, this.#deps.mark, skew),
    });
    this.#process = child;
    this.#frozen = false;
    this.#doomed = false;
    this.#killed = false;
    this.#startedMs = this.#deps.clock.monotonicMs();
    this.starts++;
    child.stdin?.on("error", () => undefined);
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface({ input: stream }).on("line", (line) => this.#hear(line));
    this.#exited = new Promise((resolve) => {
      child.once("error", (error) => {
        this.#hear(`cannot start: ${messageOf(error)}`);
        this.#ended(child, null, null, resolve);
      });
      child.once("exit", (code, signal) => this.#ended(child, code, signal, resolve));
    });
  }

  /** kill -9, also of a frozen one; whether there was a process that was not killed already. */
  kill(): boolean {
    if (this.#process === null || this.#killed) return false;
    this.#doomed = true;
    this.#killed = this.#process.kill("SIGKILL");
    return this.#killed;
  }

  freeze(): boolean {
    if (this.#process === null || this.#doomed || this.#frozen) return false;
    this.#frozen = this.#process.kill("SIGSTOP");
    return this.#frozen;
  }

  thaw(): void {
    if (this.#frozen) this.#process?.kill("SIGCONT");
    this.#frozen = false;
  }

  /** SIGTERM; resolves once it is gone, to how it ended. The caller bounds the wait with `kill`. */
  async stop(): Promise<Exit | null> {
    this.#doomed = true;
    this.thaw();
    this.#process?.kill("SIGTERM");
    await this.#exited;
    return this.#lastExit;
  }

  #hear(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
  }

  #ended(child: ChildProcess, code: number | null, signal: string | null, done: () => void): void {
    if (this.#process !== child) return;
    const exit: Exit = {
      node: this.name,
      role: this.part.role,
      pid: child.pid ?? 0,
      code,
      signal,
      ours: this.#doomed,
      upMs: Math.round(this.upMs),
      lastLine: this.#lines.at(-1) ?? "",
    };
    this.#lastExit = exit;
    this.#process = null;
    this.#frozen = false;
    this.#hear(`(ended with ${signal ?? code})`);
    this.#deps.onExit(exit);
    done();
  }
}

/** Ours, less what would configure the node; a child of a supervisor looks for no configuration at all. */
export function environmentOf(part: Part, mark: string, skew: string | null): Record<string, string | undefined> {
  const ours = Object.entries(process.env).filter(([name]) => name !== CLOCK_SKEW && !/^FABRIC_[A-Z_]+__/.test(name));
  return {
    ...Object.fromEntries(ours),
    ...(part.configured === null ? { [SUPERVISED]: "1" } : { ...part.configured, XDG_CONFIG_HOME: mark }),
    [CHAOS_MARK]: mark,
    ...(skew === null ? {} : { [CLOCK_SKEW]: skew }),
  };
}
