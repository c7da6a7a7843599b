import { platform } from "#platform";
import type { Log } from "../../core/env.ts";

const REDRAW_MS = 500;

/** One line on stderr that is drawn anew; nothing where that is no terminal. Cleared when disposed. */
export class ProgressLine implements Disposable {
  readonly #timer: Disposable | null;
  readonly #text: () => string;

  constructor(text: () => string) {
    this.#text = text;
    if (process.stderr.isTTY !== true || process.env.TERM === "dumb") {
      this.#timer = null;
      return;
    }
    const timer = platform.timers.every(REDRAW_MS, () => this.#draw());
    this.#timer = { [Symbol.dispose]: () => timer.cancel() };
  }

  /** The same log, whose lines do not stand in this one. */
  beside(log: Log): Log {
    const at =
      (level: keyof Log): Log[keyof Log] =>
      (message, fields) => {
        this.#clear();
        log[level](message, fields);
      };
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#clear();
  }

  #draw(): void {
    const columns = process.stderr.columns || 80;
    this.#clear();
    process.stderr.write(this.#text().slice(0, Math.max(10, columns - 1)));
  }

  #clear(): void {
    if (this.#timer !== null) process.stderr.write("\r\u001b[K");
  }
}
