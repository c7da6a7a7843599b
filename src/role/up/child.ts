import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Clock, Timer, Timers } from "../../core/env.ts";
import { messageOf } from "../../core/errors.ts";
import { SUPERVISED } from "../lifecycle/stop-signal.ts";

/** First restart after this, doubling at each further death up to the most. */
export const FIRST_RESTART_MS = 250;
export const MOST_RESTART_MS = 2000;
/** After this long up, a death counts as the first again. */
export const CALM_AFTER_MS = 10_000;
/** Exits that a restart cannot mend: usage, refused, config. */
const FINAL_EXITS: ReadonlySet<number> = new Set([64, 77, 78]);

export interface ChildDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  /** One line of the child's, or about it. */
  say(line: string): void;
}

/**
 * One role as a child process of the same program: restarted when it dies, stopped by SIGTERM. Its stdin is a pipe that we hold
 * open: when we are gone, however that came, it reads the end and stops by itself.
 */
export class Child {
  readonly name: string;
  readonly #command: readonly string[];
  readonly #deps: ChildDeps;
  #process: ChildProcess | null = null;
  #startedAt = 0;
  #delayMs = FIRST_RESTART_MS;
  #restart: Timer | null = null;
  #staysDown = false;
  #exited: Promise<void> = Promise.resolve();
  restarts = 0;
  /** The exit code that ended it for good, or null while it runs or will. */
  finalExit: number | null = null;

  constructor(name: string, command: readonly string[], deps: ChildDeps) {
    this.name = name;
    this.#command = command;
    this.#deps = deps;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  start(): void {
    this.#restart = null;
    const [program, ...words] = this.#command;
    const child = spawn(program ?? "", words, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, [SUPERVISED]: "1" },
    });
    this.#process = child;
    this.#startedAt = this.#deps.clock.monotonicMs();
    child.stdin?.on("error", () => undefined);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", (line) => this.#deps.say(line));
    }
    this.#exited = new Promise((resolve) => {
      child.once("error", (error) => {
        this.#deps.say(`cannot start: ${messageOf(error)}`);
        this.#onExit(null, null);
        resolve();
      });
      child.once("exit", (code, signal) => {
        this.#onExit(code, signal);
        resolve();
      });
    });
  }

  /** From now on it is not started again, whoever ends it: a signal to the whole process group ends it before `stop` does. */
  stayDown(): void {
    this.#staysDown = true;
    this.#restart?.cancel();
  }

  /** SIGTERM; resolves once it is gone. The caller bounds the wait with `kill`. */
  async stop(): Promise<void> {
    this.stayDown();
    this.#process?.kill("SIGTERM");
    await this.#exited;
  }

  kill(): void {
    this.#process?.kill("SIGKILL");
  }

  #onExit(code: number | null, signal: string | null): void {
    this.#process = null;
    if (this.#staysDown) return;
    const how = signal ? `was killed by ${signal}` : `exited with ${code}`;
    if (code !== null && FINAL_EXITS.has(code)) {
      this.finalExit = code;
      this.#deps.say(`${how}; a restart would not help`);
      return;
    }
    if (this.#deps.clock.monotonicMs() - this.#startedAt >= CALM_AFTER_MS) this.#delayMs = FIRST_RESTART_MS;
    this.#deps.say(`${how}; restarting in ${this.#delayMs} ms`);
    this.restarts++;
    this.#restart = this.#deps.timers.after(this.#delayMs, () => this.start());
    this.#delayMs = Math.min(this.#delayMs * 2, MOST_RESTART_MS);
  }
}
