import type { Candle } from "../../src/core/candle.ts";
import { EMPTY_DIGEST, extendDigest } from "../../src/core/digest.ts";
import type { MetricsBody, RailState } from "../../src/core/wire.ts";
import type { Runtime } from "./program.ts";

/** The rails of a node as its newest telemetry tells them, read with `fabric tail` on the runtime given. */
export async function railsOf(node: string, runtime: Runtime, data: string): Promise<readonly RailState[]> {
  const { code, out, err } = await runtime.fabric(["tail", "telemetry.metrics", "--json", "-c", "12", "--data", data]);
  if (code !== 0 || err !== "") throw new Error(`tail on ${runtime.name} exited with ${code}: ${err}`);
  const lines = out.trim().split("\n");
  const bodies = lines.map((line) => JSON.parse(line) as MetricsBody).filter((body) => body.node === node);
  return bodies.at(-1)?.rails ?? [];
}

/** The store's delivery (revision 0, in order, nothing imported) by symbol, read with `fabric query` on the runtime given. */
export async function deliveryOf(runtime: Runtime, data: string): Promise<ReadonlyMap<string, readonly Candle[]>> {
  const sql = `SELECT symbol, epoch_ms(open_time) AS "openTime", open, high, low, close, volume, quote_volume AS "quoteVolume",
    trades, taker_buy_volume AS "takerBuyVolume", taker_buy_quote_volume AS "takerBuyQuoteVolume"
    FROM candle_all WHERE revision = 0 AND provenance <> 'imported' ORDER BY commit_seq`;
  const delivery = new Map<string, Candle[]>();
  for (const row of (await runtime.rows(["query", sql, "--json", "--data", data])) as unknown as Candle[]) {
    const candles = delivery.get(row.symbol) ?? [];
    if (row.openTime > (candles.at(-1)?.openTime ?? 0)) candles.push(row);
    delivery.set(row.symbol, candles);
  }
  return delivery;
}

/** The digest that a consumer must have which was given as many candles as the rail says, the last of them the rail's. */
export function digestFor(rail: RailState, delivery: ReadonlyMap<string, readonly Candle[]>): string {
  const through = (delivery.get(rail.symbol) ?? []).filter((candle) => candle.openTime <= (rail.lastOpenTime ?? 0));
  const given = through.slice(-rail.delivered);
  return given.reduce((digest, candle) => extendDigest(digest, candle), EMPTY_DIGEST);
}
