import type { OpenSocket } from "../../core/env.ts";
import type { FeedSink, Trade } from "../contract.ts";
import { type NotedSymbols, RECORDING_FORMAT, type RecordingNote } from "./recording-note.ts";
import type { RecordingWriter } from "./recording-writer.ts";

export interface RecorderOptions {
  readonly venue: string;
  readonly symbols: readonly string[];
}

/**
 * Writes down what a live feed hears and says: every message of the sockets that it opens through `tap`, before it is read, and
 * what the feed tells `sink` beside trades. So a replay reads the same messages and doubts the same minutes.
 */
export class Recorder {
  readonly #writer: RecordingWriter;
  readonly #open = new Set<number>();
  readonly #groups = new Map<string, number>();
  #connections = 0;
  #trades = 0;
  #interruptions = 0;
  #omitted = 0;
  /** A message is being read by the feed. */
  #reading = false;
  #ended = false;

  constructor({ venue, symbols }: RecorderOptions, writer: RecordingWriter) {
    this.#writer = writer;
    writer.note({ note: "recording", format: RECORDING_FORMAT, venue, symbols });
  }

  get counts(): { readonly trades: number; readonly interruptions: number; readonly omitted: number } {
    return { trades: this.#trades, interruptions: this.#interruptions, omitted: this.#omitted };
  }

  /** The same sockets, listened to until they close or are given up. */
  tap(openSocket: OpenSocket): OpenSocket {
    return (address, handlers) => {
      const connection = ++this.#connections;
      let isOver = false;
      const over = (reason: string) => {
        if (isOver) return;
        isOver = true;
        this.#open.delete(connection);
        this.#note({ note: "closed", connection, reason });
      };
      const socket = openSocket(address, {
        ...handlers,
        onOpen: () => {
          if (!isOver) {
            this.#open.add(connection);
            this.#note({ note: "opened", connection, address });
          }
          handlers.onOpen();
        },
        onMessage: (text) => {
          // What still comes after a close of ours is read by nobody.
          if (!isOver) this.#write(connection, text);
          this.#reading = true;
          try {
            handlers.onMessage(text);
          } finally {
            this.#reading = false;
          }
        },
        onClose: (reason) => {
          over(reason);
          handlers.onClose(reason);
        },
      });
      return {
        send: (text) => {
          this.#note({ note: "sent", connection, text });
          socket.send(text);
        },
        close: () => {
          over("closed by us");
          socket.close();
        },
      };
    };
  }

  sink(): FeedSink {
    return {
      onTrade: (trade) => this.#traded(trade),
      onTime: (symbols, timeMs) => this.#note({ note: "time", ...this.#named(symbols), timeMs }),
      onQuiet: (symbols, timeMs) => this.#note({ note: "quiet", ...this.#named(symbols), timeMs }),
      onConnected: (symbols) => this.#note({ note: "connected", group: this.#groupOf(symbols), symbols }),
      onHeardSince: (symbols, timeMs) => this.#note({ note: "heard", ...this.#named(symbols), timeMs }),
      onUnreadable: (symbols, reason) => this.#note({ note: "unreadable", ...this.#named(symbols), reason }),
      onRefused: (symbols, reason) => this.#note({ note: "refused", ...this.#named(symbols), reason }),
      onInterrupted: (symbols, reason) => {
        if (!this.#ended) this.#interruptions++;
        this.#note({ note: "interrupted", ...this.#named(symbols), reason });
      },
    };
  }

  /** Before the feed is stopped: what its end brings about is no part of the recording. */
  end(): void {
    this.#note({ note: "ended" });
    this.#ended = true;
  }

  #note(note: RecordingNote): void {
    if (!this.#ended) this.#writer.note(note);
  }

  #write(connection: number, text: string): void {
    if (this.#ended) return;
    if (this.#writer.message(this.#open.size > 1 ? connection : null, text)) return;
    this.#omitted++;
    this.#note({ note: "omitted", connection, characters: text.length });
  }

  #traded(trade: Trade): void {
    this.#trades++;
    if (!this.#reading) this.#note({ note: "repaired", trade });
  }

  #groupOf(symbols: readonly string[]): number {
    const key = symbols.join();
    const known = this.#groups.get(key) ?? this.#groups.size + 1;
    this.#groups.set(key, known);
    return known;
  }

  #named(symbols: readonly string[]): NotedSymbols {
    const group = this.#groups.get(symbols.join());
    return group === undefined ? { symbols } : { group };
  }
}
