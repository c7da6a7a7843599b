import { platform } from "#platform";
import type { Candle, FeedGap, Provenance, StoredCandle } from "../../src/core/candle.ts";
import type { CloseBatch } from "../../src/core/delivery.ts";
import type { Files, Log } from "../../src/core/env.ts";
import { FabricError } from "../../src/core/errors.ts";
import type { StoreReader, StoreWriter } from "../../src/store/contract.ts";
import { grantWriter } from "../../src/store/grant.ts";
import { declareRole } from "../../src/store/guard.ts";
import { openStoreReader } from "../../src/store/reader.ts";
import { openStoreWriter, type StoreTuning } from "../../src/store/writer.ts";

export const START = Date.UTC(2025, 0, 1);

/** Keeps what was logged, for tests that look at it. */
export function keepingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  return { lines, debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") };
}

export function storeDeps(log: Log = keepingLog(), files: Files = platform.files) {
  return { files, clock: platform.clock, timers: platform.timers, random: platform.random, log };
}

/** Opens a writer in this test process, which is market-data in every test of this room. */
export function openWriter(
  folder: string,
  options: { venue?: string; tuning?: Partial<StoreTuning>; log?: Log; files?: Files } = {},
): Promise<StoreWriter> {
  declareRole("market-data");
  const { venue = "binance", tuning = {}, log, files } = options;
  return openStoreWriter({ folder, venue, grant: grantWriter("market-data"), tuning }, storeDeps(log, files));
}

export function openReader(folder: string): StoreReader {
  return openStoreReader({ folder }, storeDeps());
}

export function candle(symbol: string, minute: number, provenance: Provenance = "complete", price = 100): Candle {
  return {
    symbol,
    openTime: START + minute * 60_000,
    open: price,
    high: price + 2.5,
    low: price - 2.5,
    close: price + 1.25,
    volume: 3.1,
    quoteVolume: 310.7,
    trades: 12,
    takerBuyVolume: 1.1,
    takerBuyQuoteVolume: 110.2,
    firstTradeId: provenance === "complete" ? minute * 100 + 1 : null,
    lastTradeId: provenance === "complete" ? minute * 100 + 12 : null,
    provenance,
  };
}

export function batch(candles: readonly Candle[], closedThrough: number | null = null, gaps: readonly FeedGap[] = []) {
  return { candles, gaps, closedThrough } satisfies CloseBatch;
}

/** Commits minutes `from` to `to` (inclusive) of these symbols, a minute a commit, sealing each. */
export async function fill(writer: StoreWriter, symbols: readonly string[], from: number, to: number): Promise<void> {
  for (let minute = from; minute <= to; minute++) {
    await writer.commit(
      batch(
        symbols.map((symbol) => candle(symbol, minute)),
        START + minute * 60_000,
      ),
    );
    await writer.seal();
  }
}

/** Everything the reader delivers, page by page. */
export async function deliverAll(
  reader: StoreReader,
  pageRows = 1000,
  symbols: ReadonlySet<string> | "all" = "all",
): Promise<StoredCandle[]> {
  const all: StoredCandle[] = [];
  for (let after = 0; ; ) {
    const page = await reader.delivery(after, pageRows, symbols);
    if (page === null) return all;
    all.push(...page.candles);
    if (page.throughSeq >= page.view.throughSeq) return all;
    after = page.throughSeq;
  }
}

/** The FabricError that `run` fails with; fails the test where it does not. */
export async function failureOf(run: () => unknown): Promise<FabricError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof FabricError) return error;
    throw error;
  }
  throw new Error("Expected a FabricError, but nothing was thrown");
}

/** A child process of this test, killed when disposed. */
export function spawnFixture(name: string, ...args: readonly string[]) {
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/fixtures/${name}.ts`, ...args], {
    stdout: "pipe",
    stderr: "inherit",
    stdin: "ignore",
  });
  const lines: string[] = [];
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
    }
  })();
  return {
    child,
    lines,
    /** Everything the child printed, once it has ended. */
    async ended(): Promise<readonly string[]> {
      await child.exited;
      await reading;
      return lines;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      await reading;
    },
  };
}
