import { writeFileSync } from "node:fs";
import type { Candle } from "../../src/core/candle.ts";
import type { OpenSocket } from "../../src/core/env.ts";
import type { FeedSink, MarketFeed } from "../../src/feed/contract.ts";
import { Recorder } from "../../src/feed/replay/recorder.ts";
import type { RecordingOutput } from "../../src/feed/replay/recording-writer.ts";
import { RecordingWriter } from "../../src/feed/replay/recording-writer.ts";
import { deps } from "./support.ts";

/** What a recording wrote, piece by piece as it would reach the disk. */
export class Pieces implements RecordingOutput {
  readonly pieces: Uint8Array[] = [];

  append(bytes: Uint8Array): void {
    this.pieces.push(bytes);
  }

  whole(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.pieces));
  }
}

export function writerInto(output: RecordingOutput): RecordingWriter {
  return new RecordingWriter({
    ...deps,
    output,
    onFailed(error) {
      throw error;
    },
  });
}

/** A feed whose every message and word is recorded as whoever runs it hears them. */
export class RecordedFeed implements MarketFeed {
  readonly venue: string;
  readonly idsCount: boolean;
  readonly recording = false;
  readonly #pieces = new Pieces();
  readonly #writer = writerInto(this.#pieces);
  readonly #recorder: Recorder;
  readonly #feed: MarketFeed;

  constructor(
    options: { readonly venue: string; readonly symbols: readonly string[]; readonly openSocket: OpenSocket },
    make: (openSocket: OpenSocket) => MarketFeed,
  ) {
    this.venue = options.venue;
    this.#recorder = new Recorder(options, this.#writer);
    this.#feed = make(this.#recorder.tap(options.openSocket));
    this.idsCount = this.#feed.idsCount ?? true;
  }

  run(sink: FeedSink): Promise<void> {
    return this.#feed.run(bothOf(this.#recorder.sink(), sink));
  }

  async stop(): Promise<void> {
    this.#recorder.end();
    await this.#feed.stop();
  }

  klines(symbol: string, from: number, to: number): Promise<readonly Candle[]> {
    return this.#feed.klines(symbol, from, to);
  }

  facts(): ReturnType<MarketFeed["facts"]> {
    return this.#feed.facts();
  }

  /** Writes the recording so far; gives the path back. */
  save(path: string): string {
    this.#writer.flush();
    writeFileSync(path, this.#pieces.whole());
    return path;
  }
}

function bothOf(first: FeedSink, second: FeedSink): FeedSink {
  return {
    onTrade(trade) {
      first.onTrade(trade);
      second.onTrade(trade);
    },
    onOmitted(...told) {
      first.onOmitted?.(...told);
      second.onOmitted?.(...told);
    },
    onTime(...told) {
      first.onTime?.(...told);
      second.onTime?.(...told);
    },
    onQuiet(...told) {
      first.onQuiet(...told);
      second.onQuiet(...told);
    },
    onConnected(symbols) {
      first.onConnected(symbols);
      second.onConnected(symbols);
    },
    onHeardSince(...told) {
      first.onHeardSince?.(...told);
      second.onHeardSince?.(...told);
    },
    onUnreadable(...told) {
      first.onUnreadable?.(...told);
      second.onUnreadable?.(...told);
    },
    onRefused(...told) {
      first.onRefused?.(...told);
      second.onRefused?.(...told);
    },
    onInterrupted(...told) {
      first.onInterrupted(...told);
      second.onInterrupted(...told);
    },
  };
}
