import type { LogLevel } from "../../core/env.ts";
import type { LogsEvent, NumberedEntry } from "../contract.ts";

export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Most lines kept, over all nodes: the oldest leave. */
export const MAX_LOG_LINES = 10_000;
/** Room before the oldest leave in one go: moving ten thousand lines for each new one would cost more than the line. */
const SLACK_LINES = 1000;
const MAX_NODES = 256;

export interface LogLine extends NumberedEntry {
  readonly node: string;
}

export interface LogFilter {
  /** The least level shown. */
  readonly level: LogLevel;
  /** Null for all. */
  readonly node: string | null;
  /** Without regard to case; empty for all. */
  readonly text: string;
}

/** All nodes' lines by time, oldest first. */
export class LogStore {
  /** Grows with every change. */
  version = 0;
  #lines: LogLine[] = [];
  readonly #through = new Map<string, number>();

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  add(event: LogsEvent): void {
    const through = this.#through.get(event.node) ?? 0;
    const fresh = event.entries.filter((entry) => entry.n > through).map((entry) => ({ ...entry, node: event.node }));
    const last = fresh.at(-1);
    if (!last) return;
    this.#through.delete(event.node);
    this.#through.set(event.node, last.n);
    const [oldest] = this.#through.keys();
    if (this.#through.size > MAX_NODES && oldest !== undefined) this.#through.delete(oldest);
    const inOrder = (fresh[0]?.at ?? 0) >= (this.#lines.at(-1)?.at ?? 0);
    for (const line of fresh) this.#lines.push(line);
    if (!inOrder) this.#lines.sort((a, b) => a.at - b.at);
    if (this.#lines.length > MAX_LOG_LINES + SLACK_LINES) this.#lines = this.#lines.slice(-MAX_LOG_LINES);
    this.version++;
  }

  /** Another life of the bridge numbers entries anew. */
  clear(): void {
    this.#lines = [];
    this.#through.clear();
    this.version++;
  }
}

export function filterLog(lines: readonly LogLine[], { level, node, text }: LogFilter): readonly LogLine[] {
  const least = LOG_LEVELS.indexOf(level);
  const wanted = text.trim().toLowerCase();
  return lines.filter(
    (line) =>
      LOG_LEVELS.indexOf(line.level) >= least &&
      (node === null || line.node === node) &&
      (wanted === "" || `${line.node} ${line.message}`.toLowerCase().includes(wanted)),
  );
}

/** Which rows of a list of equally high ones are to be drawn: those in sight and `spare` more either way. */
export function rowsInSight(
  count: number,
  view: { readonly top: number; readonly height: number; readonly row: number },
  spare = 12,
): { readonly from: number; readonly to: number } {
  const from = Math.max(0, Math.floor(view.top / view.row) - spare);
  const to = Math.min(count, Math.ceil((view.top + view.height) / view.row) + spare);
  return { from: Math.min(from, Math.max(0, to)), to };
}
