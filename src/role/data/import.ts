import { platform } from "#platform";
import type { Candle } from "../../core/candle.ts";
import { FabricError } from "../../core/errors.ts";
import { toRfc3339 } from "../../core/time.ts";
import { VENUES } from "../../feed/venues/venues.ts";
import type { StoreWriter } from "../../store/contract.ts";
import { storeLayout } from "../../store/layout.ts";
import { readManifest } from "../../store/manifest.ts";
import { checkInputFile } from "../input-file.ts";
import { type DataFolder, dataFolder, prepareDataFolder } from "../lifecycle/data-folder.ts";
import { stopSignal } from "../lifecycle/stop-signal.ts";
import { openImportStore } from "../market-data/import-store.ts";
import { printable } from "../tools/print.ts";
import { type CandleFileFacts, inspectCandleFile, readCandleFile, tellBadRows } from "./candle-file.ts";
import { takeMarketPlace } from "./market-place.ts";
import { ProgressBar } from "./progress-bar.ts";

export interface ImportOptions {
  readonly files: readonly string[];
  readonly symbol: string;
  /** Of a store that is yet to be made; must be the one of a store that is there. */
  readonly venue: string | undefined;
  readonly json: boolean;
  readonly data: string | undefined;
}

/** What became of a file's good rows. */
interface Imported {
  added: number;
  /** Their minute was there already, from this file, another one or market-data. */
  stored: number;
  /** Later than the symbol's newest row of market-data's own: imports are history. */
  beyond: number;
}

const DEFAULT_VENUE = "binance-spot";
/** One transaction; some tens of ms. */
const BATCH_ROWS = 20_000;
/** One segment's worth: sealed as it is committed, so that no seal has more than this to do. */
const SEAL_ROWS = 262_144;
const EXIT_TRY_AGAIN = 75;

/**
 * Brings candle files into the store as history (provenance `imported`). All files are read through first: where one of them cannot
 * be used nothing is written. Minutes that are stored stay as they are, so that a repetition adds nothing and one that was broken off is
 * finished by repeating it. Holds the market-data role and name meanwhile. Throws FabricError "missing-input", "bad-data",
 * "unavailable" (a node runs), "refused" (another venue), "io". 75 where a signal ended it before the end.
 */
export async function runImport(options: ImportOptions): Promise<number> {
  for (const file of options.files) checkInputFile("import", file);
  const facts: CandleFileFacts[] = [];
  for (const file of options.files) facts.push(await inspectCandleFile(file, options.symbol));
  for (const file of facts) tellBadRows(file);

  const folder = dataFolder(options.data);
  using stop = stopSignal();
  prepareDataFolder(folder, platform.files);
  using _place = takeMarketPlace(folder, "import into the store", "announced");
  const writer = await openImportStore(folder.path, options.venue ?? venueOf(folder) ?? DEFAULT_VENUE);
  if (!VENUES.some(({ id }) => id === writer.venue)) {
    const known = VENUES.map(({ id }) => id).join(", ");
    process.stderr.write(
      `fabric: market-data knows no venue ${writer.venue}, so that it cannot go on in this store (${known})\n`,
    );
  }
  const done: Imported[] = [];
  try {
    using bar = new ProgressBar(facts.reduce((sum, file) => sum + file.good, 0));
    const importer = new Importer(writer, bar, stop.signal);
    for (const file of facts) done.push(await importer.run(file.path, options.symbol));
    await writer.seal();
  } finally {
    await writer.close();
  }
  tell(options, writer, facts, done);
  if (!stop.signal.aborted) return 0;
  process.stderr.write("fabric: stopped before the end; the same command brings in the rest\n");
  return EXIT_TRY_AGAIN;
}

/** Commits files in bounded batches, sealing as it goes. */
class Importer {
  readonly #writer: StoreWriter;
  readonly #bar: ProgressBar;
  readonly #stop: AbortSignal;
  #unsealed = 0;

  constructor(writer: StoreWriter, bar: ProgressBar, stop: AbortSignal) {
    this.#writer = writer;
    this.#bar = bar;
    this.#stop = stop;
  }

  async run(path: string, symbol: string): Promise<Imported> {
    const done: Imported = { added: 0, stored: 0, beyond: 0 };
    let batch: Candle[] = [];
    for await (const rows of readCandleFile(path, symbol)) {
      for (const { candle } of rows) if (typeof candle !== "string") batch.push(candle);
      if (batch.length < BATCH_ROWS) continue;
      if (this.#stop.aborted) return done;
      await this.#commit(batch, done);
      batch = [];
    }
    if (batch.length > 0 && !this.#stop.aborted) await this.#commit(batch, done);
    return done;
  }

  async #commit(batch: readonly Candle[], done: Imported): Promise<void> {
    const newest = this.#writer.heads.get(batch[0]?.symbol ?? "")?.lastOpenTime ?? Number.POSITIVE_INFINITY;
    const history = batch.filter((candle) => candle.openTime <= newest);
    const added = (await this.#writer.commit({ candles: history, gaps: [], closedThrough: null })).length;
    done.added += added;
    done.stored += history.length - added;
    done.beyond += batch.length - history.length;
    this.#unsealed += added;
    if (this.#unsealed >= SEAL_ROWS) {
      await this.#writer.seal();
      this.#unsealed = 0;
    }
    this.#bar.advance(batch.length);
  }
}

/** What the published store says it is; null where there is none (or it cannot be read: then the writer tells). */
function venueOf(folder: DataFolder): string | null {
  try {
    return readManifest(storeLayout(folder.path).manifest, platform.files)?.venue ?? null;
  } catch (error) {
    if (error instanceof FabricError && error.code === "bad-data") return null;
    throw error;
  }
}

function tell(
  options: ImportOptions,
  writer: StoreWriter,
  facts: readonly CandleFileFacts[],
  done: readonly Imported[],
): void {
  const files = facts.map(({ path, good, bad, badRows, first, last }, index) => {
    const { added, stored, beyond } = done[index] ?? { added: 0, stored: 0, beyond: 0 };
    const [from, to] = [toRfc3339(first), toRfc3339(last)];
    return { file: path, from, to, rows: good + bad, added, stored, beyond, bad, badRows };
  });
  const sum = (name: "added" | "stored" | "beyond" | "bad") => files.reduce((total, file) => total + file[name], 0);
  const total = { added: sum("added"), stored: sum("stored"), beyond: sum("beyond"), bad: sum("bad") };
  const { symbol } = options;
  const { venue, storeId } = writer;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ symbol, venue, storeId, ...total, files }, null, 2)}\n`);
    return;
  }
  for (const { file, from, to, rows, ...counts } of files)
    process.stdout.write(`${printable(file)}: ${from} to ${to}, ${rows} rows: ${countsOf(counts)}\n`);
  process.stdout.write(`\n${symbol} of ${venue}: ${countsOf(total)}\n`);
}

function countsOf({ added, stored, beyond, bad }: Imported & { readonly bad: number }): string {
  const later = beyond > 0 ? `, ${beyond} later than market-data's newest row (left to it)` : "";
  return `${added} added, ${stored} stored already, ${bad} bad${later}`;
}
