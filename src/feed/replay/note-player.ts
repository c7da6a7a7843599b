import { isMarketTime } from "../../core/time.ts";
import type { FeedSink } from "../contract.ts";
import { connectionOf } from "./recorded-line.ts";
import type { NotedSymbols, RecordingNote } from "./recording-note.ts";
import type { RecordingTime } from "./recording-time.ts";

/**
 * Repeats what a recording's notes say of its connections, for the symbols that are played: a stretch that was not heard is then
 * an interruption as it was when it was recorded.
 */
export class NotePlayer {
  readonly #symbols: ReadonlySet<string>;
  readonly #isOnly: boolean;
  readonly #time: RecordingTime;
  readonly #connected = new Set<string>();
  readonly #groups = new Map<number, readonly string[]>();
  readonly #open = new Set<number>();
  /** Per symbol, where ids do not count: the connection whose trades are taken. */
  readonly #carriers = new Map<string, number>();
  #interruptions = 0;

  /** `isOnly`: no other file is played. */
  constructor(symbols: readonly string[], isOnly: boolean, time: RecordingTime) {
    this.#symbols = new Set(symbols);
    this.#isOnly = isOnly;
    this.#time = time;
  }

  get interruptions(): number {
    return this.#interruptions;
  }

  /** `noted`: the file tells itself who is connected; otherwise all are, from its first line on. */
  fileStarts(noted: boolean, sink: FeedSink): void {
    this.#open.clear();
    this.#groups.clear();
    this.#carriers.clear();
    if (!noted && this.#connected.size === this.#symbols.size) return;
    this.#interrupt([...this.#connected], "the next file begins", sink);
    if (!noted) this.#connect([...this.#symbols], sink);
  }

  play(note: RecordingNote, sink: FeedSink): void {
    switch (note.note) {
      case "recording":
        this.#refuse(this.#but(note.symbols), "the recording does not hold it", sink);
        break;
      case "refused":
        this.#refuse(this.#named(note), note.reason, sink);
        break;
      case "opened":
        this.#open.add(note.connection);
        break;
      case "closed":
        this.#open.delete(note.connection);
        break;
      case "omitted":
        this.#unreadable([...this.#connected], `a message of ${note.characters} characters was not recorded`, sink);
        break;
      case "connected":
        this.#groups.set(note.group, this.#ours(note.symbols));
        // Only where the note between two was lost: then nobody knows what else was.
        this.#interrupt(this.#ours(note.symbols), "connected anew", sink);
        this.#connect(this.#ours(note.symbols), sink);
        break;
      case "interrupted":
        this.#interrupt(this.#named(note), note.reason, sink);
        break;
      case "unreadable":
        this.#unreadable(this.#named(note), note.reason, sink);
        break;
      case "heard":
      case "quiet":
      case "time":
        this.#tell(note.note, this.#named(note), note.timeMs, sink);
        break;
      default:
    }
  }

  /** The connection that a line came by: the one it names, else the only one there is. */
  connectionOf(line: string): number {
    return this.#open.size > 0 ? (connectionOf(line) ?? this.#open.values().next().value ?? 0) : 0;
  }

  /** Where ids do not count: false for a trade that another open connection tells, too. */
  carries(symbol: string, connection: number): boolean {
    const carrier = this.#carriers.get(symbol);
    if (carrier !== undefined && carrier !== connection && this.#open.has(carrier)) return false;
    this.#carriers.set(symbol, connection);
    return true;
  }

  /** The input is over: what it lost before that was seen in part, like what it holds at its end. */
  finish(sink: FeedSink): void {
    const { timeMs } = this.#time;
    const rest = [...this.#symbols].filter((symbol) => !this.#connected.has(symbol));
    if (rest.length === 0 || timeMs === null) return;
    this.#connect(rest, sink);
    sink.onTime?.(rest, timeMs);
  }

  #connect(symbols: readonly string[], sink: FeedSink): void {
    if (symbols.length === 0) return;
    for (const symbol of symbols) this.#connected.add(symbol);
    this.#time.hears([...this.#connected]);
    sink.onConnected(symbols);
  }

  #interrupt(symbols: readonly string[], reason: string, sink: FeedSink): void {
    const lost = symbols.filter((symbol) => this.#connected.delete(symbol));
    if (lost.length === 0) return;
    this.#interruptions++;
    this.#time.hears([...this.#connected]);
    sink.onInterrupted(lost, reason);
  }

  #unreadable(symbols: readonly string[], reason: string, sink: FeedSink): void {
    if (symbols.length > 0) sink.onUnreadable?.(symbols, reason);
  }

  #tell(what: "heard" | "quiet" | "time", symbols: readonly string[], timeMs: number, sink: FeedSink): void {
    if (symbols.length === 0 || !isMarketTime(timeMs)) return;
    this.#time.note(timeMs, sink);
    if (what === "heard") sink.onHeardSince?.(symbols, timeMs);
    else if (what === "quiet") sink.onQuiet(symbols, timeMs);
    else sink.onTime?.(symbols, timeMs);
  }

  #named(named: NotedSymbols): readonly string[] {
    return "group" in named ? (this.#groups.get(named.group) ?? []) : this.#ours(named.symbols);
  }

  /** Another file may hold it. */
  #refuse(symbols: readonly string[], reason: string, sink: FeedSink): void {
    if (!this.#isOnly || symbols.length === 0) return;
    this.#interrupt(symbols, reason, sink);
    sink.onRefused?.(symbols, reason);
  }

  /** Those that are played and not among these. */
  #but(symbols: readonly string[]): readonly string[] {
    const named = new Set(symbols);
    return [...this.#symbols].filter((symbol) => !named.has(symbol));
  }

  #ours(symbols: readonly string[]): readonly string[] {
    return symbols.filter((symbol) => this.#symbols.has(symbol));
  }
}
