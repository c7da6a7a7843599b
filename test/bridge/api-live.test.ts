import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import grafana from "../../src/bridge/grafana.json" with { type: "json" };
import { MINUTE_MS } from "../../src/core/time.ts";
import { Up } from "../slow/support-up.ts";
import { eventually } from "../support/eventually.ts";
import { fabric } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { askDescribed, openApiOf } from "./open-api.ts";
import { fallen, metricsIn, parseProm } from "./prom-text.ts";

/** Trades on every bar, and shows what it saw; one indicator too many. */
const BUSY = `import { defineStrategy, v } from "fabric";
export default defineStrategy({
  name: "busy", version: "1", params: v.object({}), warmup: () => 5,
  init: () => ({ bars: 0, close: 0 }),
  onCandle({ candle, state, position, warmingUp }) {
    state.bars++;
    state.close = candle.close;
    if (warmingUp) return [];
    return [{ side: position.quantity === "0" ? "buy" : "sell", quantity: "0.01", reason: "bar " + state.bars }];
  },
  indicators: ({ bars, close }) => ({ close, half: close / 2, bars, a: 1, b: null, c: NaN, d: 4, e: 5, f: 6 }),
});
`;

const MARKET = ["--symbols", "BTCUSDT,ETHUSDT", "--seed", "7", "--speed", "120"];

describe.skipIf(process.platform !== "linux")("The API over real processes", () => {
  test("Every route answers as described, metrics never fall, and the dashboard's figures are all there", async () => {
    using folder = tempFolder();
    writeFileSync(folder.join("busy.ts"), BUSY);
    const strategies = ["--strategy", folder.join("busy.ts"), "--strategy", "sma-cross"];
    await using up = Up.start(folder.join("data"), [...MARKET, ...strategies]);
    await up.firstCandle("BTCUSDT");
    const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${up.port}${path}`, init);
    const rows = async (path: string, list: string): Promise<Record<string, unknown>[]> =>
      ((await (await ask(path)).json()) as Record<string, Record<string, unknown>[]>)[list] ?? [];
    const api = await openApiOf(ask);
    await up.until(async () => (await rows("/api/fills?node=busy", "fills")).length > 3, 30_000, "four fills of busy");
    await up.until(async () => (await rows("/api/nodes", "nodes")).length === 6, 15_000, "six nodes");

    let before = parseProm(await (await ask("/metrics")).text());
    const routes = Object.keys(api.paths).filter((path) => api.paths[path]?.get.responses[400]);
    for (let round = 0; round < 4; round++) {
      for (const path of routes)
        await askDescribed(ask, api, path === "/api/candles" ? `${path}?symbol=BTCUSDT` : path);
      const now = parseProm(await (await ask("/metrics")).text());
      expect(fallen(before, now)).toEqual([]);
      before = now;
    }
    const wanted = new Set(
      grafana.panels.flatMap(({ targets }) => targets?.flatMap(({ expr }) => metricsIn(expr)) ?? []),
    );
    expect([...wanted].filter((name) => !before.has(name))).toEqual([]);
    expect(before.get("fabric_exposition_omitted_samples")?.samples.get("fabric_exposition_omitted_samples")).toBe(0);
    const nameless = [...before.values()]
      .filter(({ help }) => help.startsWith("The node's figure "))
      .map(({ name }) => name);
    expect(nameless).toEqual([]);

    await tradingAddsUp(rows);
    const [table] = await rows("/api/indicators?node=busy&symbol=BTCUSDT", "tables");
    expect(table?.names).toEqual(["close", "half", "bars", "a", "b", "c", "d", "e"]);
    const newest = ((table?.rows ?? []) as (number | null)[][]).at(-1) ?? [];
    expect([newest[2], newest.slice(4)]).toEqual([Number(newest[1]) / 2, [1, null, null, 4, 5]]);
    expect(await rows("/api/logs?text=indicator%20is%20left%20out", "entries")).toHaveLength(1);

    await pagesAreTheStore(folder.join("data"), ask);
    up.signalGroup("SIGINT");
    expect(await up.ended).toBe(0);
  }, 90_000);
});

/** Fills, positions and profit tell the same story, and every fill is of a decision that was told. */
async function tradingAddsUp(rows: (path: string, list: string) => Promise<Record<string, unknown>[]>): Promise<void> {
  const decisions = await rows("/api/decisions?node=busy&limit=1000", "decisions");
  const fills = await rows("/api/fills?node=busy&limit=1000", "fills");
  expect(decisions.some(({ outcome, reason }) => outcome === "filled" && /^bar \d+$/.test(String(reason)))).toBe(true);
  const known = new Set(decisions.map(({ clientOrderId }) => clientOrderId));
  expect(fills.filter(({ clientOrderId }) => known.has(clientOrderId)).length).toBeGreaterThan(0);
  for (const { feeAsset, price, openTime } of fills) {
    expect([feeAsset, typeof price]).toEqual(["USDT", "string"]);
    expect(Number(openTime) % MINUTE_MS).toBe(0);
  }
  const [runner] = await rows("/api/positions?node=busy", "runners");
  const pnl = runner?.pnl as { total: string; today: string; byQuote: { quote: string; total: string }[] };
  const positions = runner?.positions as { realisedPnl: string; unrealisedPnl: string }[];
  const sum = positions.reduce((total, row) => total + Number(row.realisedPnl) + Number(row.unrealisedPnl), 0);
  expect(Number(pnl.total)).toBeCloseTo(sum, 6);
  expect(pnl.byQuote).toEqual([expect.objectContaining({ quote: "USDT", total: pnl.total, today: pnl.today })]);
  const instruments = runner?.instruments as { symbol: string; priceDecimals: number }[];
  expect(instruments.map(({ symbol }) => symbol).sort()).toEqual(["BTCUSDT", "ETHUSDT"]);
  for (const { priceDecimals } of instruments) expect(priceDecimals).toBe(2);
}

/** What paging gives up to a minute is what SQL says the store holds up to it. */
async function pagesAreTheStore(data: string, ask: (path: string) => Promise<Response>): Promise<void> {
  const { candles } = (await (await ask("/api/candles?symbol=ETHUSDT&limit=2")).json()) as {
    candles: { openTime: number }[];
  };
  const to = candles[0]?.openTime ?? 0;
  const sql = `SELECT epoch_ms(open_time) AS t, close FROM candle WHERE symbol = 'ETHUSDT' AND open_time <= make_timestamp_ms(${to}) ORDER BY 1`;
  const answer = await eventually(async () => {
    const asked = await fabric(["query", sql, "--json", "--data", data]);
    return asked.code === 0 ? asked.out : null;
  }, 20_000);
  const stored = (JSON.parse(answer) as { t: number | string; close: number }[]).map(({ t, close }) => [
    Number(t),
    close,
  ]);
  const paged: (readonly [number, number])[] = [];
  for (let before: number | null = null, first = true; first || before !== null; first = false) {
    const more: string = before === null ? "" : `&before=${before}`;
    const page = (await (await ask(`/api/candles?symbol=ETHUSDT&to=${to}&limit=37${more}`)).json()) as {
      candles: { openTime: number; close: number }[];
      older: number | null;
    };
    paged.unshift(...page.candles.map(({ openTime, close }) => [openTime, close] as const));
    before = page.older;
  }
  expect(stored.length).toBeGreaterThan(100);
  expect(paged).toEqual(stored as [number, number][]);
}
