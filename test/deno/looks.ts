import { readdirSync } from "node:fs";
import type { Row, Runtime } from "./program.ts";

/** When a simulated market begins, and what `up` trades, unless told otherwise. */
export const MARKET_START_MS: number = Date.UTC(2025, 0, 1);
export const SYMBOLS: readonly string[] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

/** Lines of a node's or up's log that are no plain news: runtime warnings, stacks, warnings and errors of our own. */
export function troubleIn(log: string): readonly string[] {
  const news = /^(up \| |([\w-]+ +\| )?\d{4}-\d\d-\d\dT\S+Z [\w-]+ (?!warn: |error: ))/;
  // The nodes start at once, so market-data may be there before the exchange.
  const early = /warn: Waiting for the venue: No simulated exchange runs/;
  return log.split("\n").filter((line) => line !== "" && !news.test(line) && !early.test(line));
}

/** Sockets and advertisements that what has stopped must not leave. */
export function leftovers(data: string): readonly string[] {
  return readdirSync(`${data}/run`).filter((name) => /\.(ipc|json)$/.test(name));
}

/** The newest candles as the page gets them. */
export async function candlesOf(address: string, symbol: string): Promise<readonly Row[]> {
  const reply = await fetch(`${address}/api/candles?symbol=${symbol}&limit=5`, { signal: AbortSignal.timeout(2000) });
  return ((await reply.json()) as { candles: Row[] }).candles;
}

/** Reads an event stream until every kind was seen, at most 10 s, and breaks it off. */
export async function eventKinds(url: string, wanted: readonly string[]): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  const stop = new AbortController();
  const reply = await fetch(url, { signal: stop.signal });
  const timer = setTimeout(() => stop.abort(), 10_000);
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of reply.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      for (const [, kind = ""] of text.matchAll(/^event: (\w+)$/gm)) seen.add(kind);
      if (wanted.every((kind) => seen.has(kind))) break;
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
  return seen;
}

/** Minutes of the exchange's own truth, up to the store's newest, that the store lacks or holds otherwise; there must be some to compare. */
export async function missingFromTruth(data: string, onDeno: Runtime, onBun: Runtime): Promise<readonly string[]> {
  const sql = `SELECT symbol, epoch_ms(open_time) AS "openTime", open, high, low, close, volume, quote_volume AS "quoteVolume", trades
    FROM candle WHERE open_time >= TIMESTAMP '2025-01-01' ORDER BY symbol, open_time`;
  const rows = await onDeno.rows(["query", sql, "--json", "--data", data]);
  const minutes = Math.max(...rows.map((row) => (Number(row.openTime) - MARKET_START_MS) / 60_000)) + 1;
  const words = ["sim", "--truth", "--minutes", `${minutes}`, "--json", "--symbols", SYMBOLS.join()];
  const truth = await onBun.rows(words);
  const keyOf = (row: Row) => `${row.symbol} ${row.openTime}`;
  const byKey = new Map(rows.map((row) => [keyOf(row), row]));
  const lastOf = new Map(rows.map((row) => [row.symbol, Number(row.openTime)]));
  return truth
    .filter((row) => Number(row.openTime) <= (lastOf.get(row.symbol ?? "") ?? 0))
    .filter(
      (row) =>
        !Object.entries(byKey.get(keyOf(row)) ?? { missing: true }).every(([name, value]) => row[name] === value),
    )
    .map(keyOf);
}
