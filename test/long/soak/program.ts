import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";

/** A program that prints what it has to say on stdout or stderr. Disposing it kills it, whatever state it is in. */
export class Program implements AsyncDisposable {
  readonly #words: string;
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  #said = "";

  constructor(words: readonly string[]) {
    this.#words = words.slice(1).join(" ");
    this.#child = Bun.spawn([...words], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    for (const stream of [this.#child.stdout, this.#child.stderr]) void this.#gather(stream);
  }

  /** A program of a folder of ours. */
  static own(folder: string, file: string, words: readonly (string | number)[]): Program {
    return new Program([process.execPath, join(folder, file), ...words.map(String)]);
  }

  get pid(): number {
    return this.#child.pid;
  }

  says(pattern: RegExp, withinMs = 20_000): Promise<RegExpExecArray> {
    return eventually(
      () => {
        if (this.#child.exitCode !== null)
          throw new Error(`${this.#words} ended with ${this.#child.exitCode}: ${this.#said}`);
        return pattern.exec(this.#said);
      },
      withinMs,
      `${this.#words} to say ${pattern}; it said: ${this.#said.slice(-2000)}`,
    );
  }

  /** The newest match of a global pattern. */
  async newest(pattern: RegExp): Promise<RegExpExecArray> {
    await this.says(new RegExp(pattern.source, pattern.flags.replace("g", "")));
    const found = [...this.#said.matchAll(pattern)].at(-1);
    if (!found) throw new Error(`${this.#words} never said ${pattern}`);
    return found;
  }

  /** Sends a line, and waits for the first answer after it. */
  async asks(pattern: RegExp): Promise<RegExpExecArray> {
    const before = [...this.#said.matchAll(pattern)].length;
    this.#child.stdin.write("?\n");
    this.#child.stdin.flush();
    return eventually(() => [...this.#said.matchAll(pattern)][before], 20_000, `${this.#words} to answer ${pattern}`);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async #gather(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      // What a program says once a second for ten minutes is of interest at its beginning and its end.
      this.#said =
        (this.#said + text).length > 200_000
          ? `${this.#said.slice(0, 20_000)}\n${(this.#said + text).slice(-20_000)}`
          : this.#said + text;
    }
  }
}
