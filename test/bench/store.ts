// Commit and seal for 1, 100 and 1,000 symbols, and what a delivery poll costs against the size of the store.
// Run: bun test/bench/store.ts [minutes]
import { rmSync } from "node:fs";
import type { StoreReader, StoreWriter } from "../../src/store/contract.ts";
import { batch, candle, openReader, openWriter, START } from "../store/support.ts";
import { tempFolder } from "../support/temp-folder.ts";

const minutes = Number(process.argv[2] ?? 300);

for (const count of [1, 100, 1000]) await benchCloses(count, minutes);
for (const rows of [10_000, 100_000, 1_000_000]) await benchPolls(rows);

async function benchCloses(count: number, closes: number): Promise<void> {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const symbols = Array.from({ length: count }, (_, index) => `SYM${index}USDT`);
  const times = { commit: [] as number[], seal: [] as number[], both: [] as number[], compact: [] as number[] };
  for (let minute = 0; minute < closes; minute++) {
    const close = closeOf(symbols, minute);
    const start = performance.now();
    await writer.commit(close);
    const committed = performance.now();
    await writer.seal();
    const sealed = performance.now();
    await writer.compact();
    times.commit.push(committed - start);
    times.seal.push(sealed - committed);
    times.both.push(sealed - start);
    times.compact.push(performance.now() - sealed);
  }
  for (const [name, values] of Object.entries(times)) report(`${count} symbols, ${name}`, values.slice(5));
  console.log(`${count} symbols: ${writer.counters().segments} segments after ${closes} closes`);
  await writer.close();
}

async function benchPolls(rows: number): Promise<void> {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const symbols = Array.from({ length: 1000 }, (_, index) => `SYM${index}USDT`);
  let minute = 0;
  await timed(`${rows} rows: filled`, async () => {
    for (; minute < rows / 1000; minute += 10) {
      const candles = Array.from({ length: 10 }, (_, index) => closeOf(symbols, minute + index).candles).flat();
      await writer.commit(batch(candles, START + (minute + 9) * 60_000));
      if (minute % 100 === 0) await writer.seal();
    }
    await writer.seal();
    await writer.compact();
  });
  const reader = openReader(folder.path);
  await reader.latest("SYM1USDT", 1);
  const polls = { fresh: [] as number[], idle: [] as number[] };
  for (let round = 0; round < 50; round++) await pollOnce(writer, reader, symbols, minute + round, polls);
  report(`${rows} rows, poll with 1,000 new rows`, polls.fresh);
  report(`${rows} rows, poll with nothing new`, polls.idle);
  await timed(`${rows} rows, latest 500 of one symbol`, () => reader.latest("SYM7USDT", 500));
  await timed(`${rows} rows, history of one symbol`, () => reader.history("SYM7USDT", START, START + 1e12));
  await reader.close();
  await writer.close();
  await timed(`${rows} rows, start after a clean stop`, async () => (await openWriter(folder.path)).close());
  rmSync(`${folder.path}/published/manifest.json`);
  await timed(`${rows} rows, start without a manifest`, async () => (await openWriter(folder.path)).close());
}

async function pollOnce(
  writer: StoreWriter,
  reader: StoreReader,
  symbols: readonly string[],
  minute: number,
  polls: { readonly fresh: number[]; readonly idle: number[] },
): Promise<void> {
  const after = writer.commitSeq;
  await writer.commit(closeOf(symbols, minute));
  await writer.seal();
  const start = performance.now();
  const page = await reader.delivery(after, 10_000, "all");
  polls.fresh.push(performance.now() - start);
  if (page?.candles.length !== 1000) throw new Error(`Expected 1,000 rows, found ${page?.candles.length}`);
  const again = performance.now();
  await reader.delivery(page.throughSeq, 10_000, "all");
  polls.idle.push(performance.now() - again);
}

function closeOf(symbols: readonly string[], minute: number) {
  const candles = symbols.map((symbol, index) => candle(symbol, minute, "complete", 100 + Math.sin(minute + index)));
  return batch(candles, START + minute * 60_000);
}

async function timed(name: string, run: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await run();
  console.log(`${name}: ${(performance.now() - start).toFixed(1)} ms`);
}

function report(name: string, values: readonly number[]): void {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2);
  console.log(`${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
}
