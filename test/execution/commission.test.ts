import { expect, test } from "bun:test";
import { MINUTE_MS } from "../../src/core/time.ts";
import { CommissionDesk } from "../../src/execution/binance/commission.ts";
import type { Reply } from "../../src/execution/binance/reply.ts";
import type { Parameters } from "../../src/execution/binance/signing.ts";
import type { SymbolRules } from "../../src/execution/binance/symbol-rules.ts";

const RULES: SymbolRules = { base: "BTC", quote: "USDT", tick: null, lots: [], notionals: [] };

/** A desk whose venue has these klines of BNBUSDT, by openTime, and answers as Binance does. */
function desk(reply: (asked: Map<string, string>) => Reply): {
  readonly fees: CommissionDesk;
  readonly told: string[];
} {
  const told: string[] = [];
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, error: quiet, warn: (message: string) => void told.push(message) };
  const rest = {
    public: (_path: string, parameters: Parameters) =>
      Promise.resolve(reply(new Map(parameters.map(([name, value]) => [name, value])))),
  };
  return { fees: new CommissionDesk(rest, log), told };
}

const having = (klines: readonly (readonly [number, string])[]) => (asked: Map<string, string>) => {
  const from = Number(asked.get("startTime") ?? "0");
  const to = Number(asked.get("endTime") ?? "Infinity");
  const found = klines.filter(([openTime]) => openTime >= from && openTime <= to);
  const chosen = asked.has("startTime") ? found.slice(0, 1) : found.slice(-1);
  return { type: "ok", body: chosen.map(([at, close]) => [at, "1", "1", "1", close]) } satisfies Reply;
};

const of = (fees: CommissionDesk, minute: number) =>
  fees.feeOf(RULES, "100", { amount: "0.1", asset: "BNB" }, minute * MINUTE_MS + 1);

test("A commission in a third asset counts at that asset's last close before the order's minute", async () => {
  const { fees } = desk(
    having([
      [2 * MINUTE_MS, "500"],
      [3 * MINUTE_MS, "600"],
    ]),
  );
  expect(await of(fees, 3)).toEqual({ fee: "50" });
});

test("A commission whose minute has no kline, since the venue stood still, counts at the nearest earlier close", async () => {
  const { fees } = desk(
    having([
      [1 * MINUTE_MS, "400"],
      [9 * MINUTE_MS, "600"],
    ]),
  );
  expect(await of(fees, 3)).toEqual({ fee: "40" });
});

test("A commission that no kline prices is missing from the fee: counted, told once, and nothing waits for it", async () => {
  const { fees, told } = desk(having([[9 * MINUTE_MS, "600"]]));
  expect(await of(fees, 3)).toEqual({ fee: "0" });
  expect(await of(fees, 4)).toEqual({ fee: "0" });
  expect([fees.unpriced, told.length]).toEqual([2, 1]);
});

test("A commission waits where the price could not be asked for", async () => {
  const { fees } = desk(() => ({ type: "unclear", reason: "503" }));
  await expect(of(fees, 3)).rejects.toThrow("no price of BNB in USDT");
});
