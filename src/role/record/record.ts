import { resolve } from "node:path";
import { platform } from "#platform";
import type { Log } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import type { MarketFeed } from "../../feed/contract.ts";
import { LiveFeed } from "../../feed/live/live-feed.ts";
import { Recorder } from "../../feed/replay/recorder.ts";
import { RecordingWriter } from "../../feed/replay/recording-writer.ts";
import type { Venue } from "../../feed/venues/contract.ts";
import { nodeLog } from "../lifecycle/node-log.ts";
import { onAbort, stopSignal } from "../lifecycle/stop-signal.ts";
import { printable } from "../tools/print.ts";
import { venueNamed } from "../venue-named.ts";
import { ProgressLine } from "./progress-line.ts";
import { RecordingFile } from "./recording-file.ts";

export interface RecordOptions {
  readonly venue: string;
  readonly symbols: readonly string[];
  /** Ends in .gz. */
  readonly output: string;
  /** ws:// or wss://; the venue's own address where undefined. */
  readonly url: string | undefined;
  /** Ends by itself after this long; undefined: when it is stopped. */
  readonly forMs: number | undefined;
  readonly json: boolean;
}

/**
 * Records what a venue sends of some symbols' trades until it is stopped or its time is over. It opens no store and takes no role.
 * A file in which there would be no message is not left behind. Throws FabricError "usage" (venue, symbols, address), "refused"
 * (the file is there), "missing-input" (no such folder), "io", "unavailable" (its time is over and nothing ever came).
 */
export async function runRecord(options: RecordOptions): Promise<number> {
  const venue = venueNamed(options.venue);
  if (!options.output.endsWith(".gz"))
    throw new FabricError("usage", `Bad --output "${options.output}": expected a name that ends in .gz`);
  const file = RecordingFile.create(resolve(options.output));
  let keep = false;
  try {
    const done = await record(options, venue, file, () => {
      keep = true;
    });
    if (keep) tell(options, done);
    else if (done.isOver)
      throw new FabricError("unavailable", `Nothing came of ${options.symbols.join(", ")} of ${venue.title}`);
    return 0;
  } catch (error) {
    // Refusals alone are no recording.
    if (error instanceof FabricError && error.code === "usage") keep = false;
    throw error;
  } finally {
    file.close(keep);
  }
}

interface Done {
  readonly messages: number;
  readonly trades: number;
  readonly bytes: number;
  readonly reconnects: number;
  readonly interruptions: number;
  readonly seconds: number;
  /** Its time was over; else it was stopped. */
  readonly isOver: boolean;
}

/** `onMessage`: there is something worth keeping. */
async function record(options: RecordOptions, venue: Venue, file: RecordingFile, onMessage: () => void): Promise<Done> {
  const { clock, timers } = platform;
  const begun = clock.monotonicMs();
  let failure: unknown = null;
  let isOver = false;
  using stop = stopSignal();
  const writer = new RecordingWriter({
    clock,
    timers,
    output: file,
    onFailed: (error) => {
      failure = error;
      stop.stop("the file cannot be written");
    },
  });
  const recorder = new Recorder({ venue: venue.id, symbols: options.symbols }, writer);
  const done = (): Done => ({
    messages: writer.messages,
    trades: recorder.counts.trades,
    bytes: writer.bytes,
    reconnects: feed.facts().counters["reconnects.total"] ?? 0,
    interruptions: recorder.counts.interruptions,
    seconds: Math.round((clock.monotonicMs() - begun) / 1000),
    isOver,
  });
  using progress = new ProgressLine(() => lineOf(done()));
  const log = progress.beside(nodeLog("record", () => undefined));
  const feed = openFeed(options, venue, recorder, log);
  log.info(`Recording ${namesOf(options.symbols)} of ${venue.title} into ${printable(options.output)}`);
  using _stopped = onAbort(stop.signal, () => {
    recorder.end();
    void feed.stop();
  });
  const timer =
    options.forMs === undefined
      ? null
      : timers.after(options.forMs, () => {
          isOver = true;
          stop.stop("its time is over");
        });
  try {
    const sink = recorder.sink();
    const onRefused = (symbols: readonly string[], reason: string) => {
      log.error(`Cannot record ${namesOf(symbols)}: ${printable(reason)}; the other symbols go on`);
      sink.onRefused?.(symbols, reason);
    };
    if (!stop.signal.aborted) await feed.run({ ...sink, onRefused });
  } finally {
    timer?.cancel();
    writer.flush();
    if (writer.messages > 0) onMessage();
  }
  if (failure !== null) throw failure;
  return done();
}

function openFeed(options: RecordOptions, venue: Venue, recorder: Recorder, log: Log): MarketFeed {
  const { clock, timers, random, httpGet } = platform;
  return new LiveFeed(
    { venue, symbols: options.symbols, ...(options.url === undefined ? {} : { url: options.url }) },
    { openSocket: recorder.tap(platform.openSocket), httpGet, clock, timers, random, log },
  );
}

function tell(options: RecordOptions, { isOver: _, ...done }: Done): void {
  const told = { venue: options.venue, symbols: options.symbols, file: options.output, ...done };
  process.stdout.write(
    options.json ? `${JSON.stringify(told)}\n` : `${lineOf(done)} in ${printable(options.output)}\n`,
  );
}

function lineOf({ messages, trades, bytes, reconnects, seconds }: Omit<Done, "isOver">): string {
  const counted = (count: number, of: string) => `${count} ${of}${count === 1 ? "" : "s"}`;
  const size = bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  return `${counted(messages, "message")}, ${counted(trades, "trade")}, ${size}, ${counted(reconnects, "reconnect")} in ${seconds} s`;
}

function namesOf(symbols: readonly string[]): string {
  const more = symbols.length - 10;
  return symbols.slice(0, 10).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
