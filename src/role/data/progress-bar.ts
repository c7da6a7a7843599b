import { platform } from "#platform";

const WIDTH = 30;
const REDRAW_MS = 100;

/** A bar on stderr where that is a terminal; nothing anywhere else. Cleared when disposed. */
export class ProgressBar implements Disposable {
  readonly #total: number;
  readonly #isShown = process.stderr.isTTY === true && process.env.TERM !== "dumb";
  #done = 0;
  #drawnMs = Number.NEGATIVE_INFINITY;

  constructor(total: number) {
    this.#total = total;
  }

  advance(by: number): void {
    this.#done += by;
    const nowMs = platform.clock.monotonicMs();
    if (!this.#isShown || nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    const share = this.#total > 0 ? Math.min(1, this.#done / this.#total) : 1;
    const full = Math.round(share * WIDTH);
    const bar = "█".repeat(full) + "░".repeat(WIDTH - full);
    process.stderr.write(`\r${bar} ${Math.floor(share * 100)} %  ${this.#done} of ${this.#total} rows`);
  }

  [Symbol.dispose](): void {
    if (this.#isShown && Number.isFinite(this.#drawnMs)) process.stderr.write("\r\u001b[K");
  }
}
