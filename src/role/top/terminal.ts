import type { Line, LineStyle } from "./page.ts";

const ESCAPE = "\u001b[";
const ENTER = `${ESCAPE}?1049h${ESCAPE}?25l`;
const LEAVE = `${ESCAPE}?25h${ESCAPE}?1049l`;
const CODES: Readonly<Record<LineStyle, string>> = { plain: "", head: "1", grey: "2", warn: "33", bad: "31" };
const CTRL_C = "\u0003";

/** Where pages go: one screen drawn over and over on a terminal, blocks one after the other elsewhere. */
export interface PageSink extends Disposable {
  /** Lines that one page has room for. */
  readonly maxLines: number;
  draw(lines: readonly Line[]): void;
}

/** Whether stdout is a terminal that understands more than lines. */
export function isScreen(): boolean {
  return process.stdout.isTTY === true && process.env.TERM !== "dumb";
}

/**
 * Takes over the terminal until disposed, which gives back what was on it: alternate screen, no cursor, keys as they are typed.
 * `q` and Ctrl-C call `onQuit`; a changed size calls `onResize`.
 */
export function openScreen(onQuit: () => void, onResize: () => void): PageSink {
  const { stdin, stdout } = process;
  const colour = allowsColour();
  const onKeys = (keys: Buffer) => {
    const text = keys.toString("utf8");
    if (text.includes("q") || text.includes(CTRL_C)) onQuit();
  };
  stdout.write(ENTER);
  stdout.on("resize", onResize);
  if (stdin.isTTY) stdin.setRawMode(true).on("data", onKeys).resume();
  return {
    get maxLines() {
      return Math.max(10, stdout.rows ?? 24);
    },
    draw(lines) {
      const columns = stdout.columns ?? 80;
      const shown = lines.slice(0, this.maxLines).map((line) => `${styled(line, columns, colour)}${ESCAPE}K`);
      stdout.write(`${ESCAPE}H${shown.join("\r\n")}${ESCAPE}J`);
    },
    [Symbol.dispose]() {
      stdout.off("resize", onResize);
      if (stdin.isTTY) stdin.setRawMode(false).off("data", onKeys).pause();
      stdout.write(LEAVE);
    },
  };
}

/** Whole pages one after the other, with an empty line between. */
export function openBlocks(): PageSink {
  const colour = allowsColour();
  let first = true;
  return {
    maxLines: Number.POSITIVE_INFINITY,
    draw(lines) {
      const text = lines.map((line) => styled(line, Number.POSITIVE_INFINITY, colour)).join("\n");
      process.stdout.write(`${first ? "" : "\n"}${text}\n`);
      first = false;
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** NO_COLOR, when not empty, and whatever is no terminal get none (no-color.org). */
function allowsColour(): boolean {
  return isScreen() && !process.env.NO_COLOR;
}

function styled(line: Line, columns: number, colour: boolean): string {
  const text = line.text.length > columns ? `${line.text.slice(0, Math.max(0, columns - 1))}…` : line.text;
  const code = CODES[line.style];
  return colour && code !== "" ? `${ESCAPE}${code}m${text}${ESCAPE}0m` : text;
}
