import assert from "node:assert/strict";
import { platform } from "#platform";
import { openBinanceBroker } from "../../src/execution/binance/binance-broker.ts";
import { venueEndpoint } from "../../src/execution/binance/endpoint.ts";
import type { BrokerReport, LookupOutcome } from "../../src/execution/broker.ts";
import { openSimExchange } from "../../src/feed/sim/sim-exchange.ts";
import { DEFAULT_START_MS } from "../../src/feed/sim/truth.ts";
import { parseVenueFaults } from "../../src/feed/sim/venue/faults.ts";
import { SIM_KEYS } from "../../src/feed/sim/venue/signed-request.ts";

/**
 * The venue's broker against the simulated venue, both on the runtime that runs this file: bad days of every kind, then the
 * count. Prints one line where all is well.
 */
const log = { debug() {}, info() {}, warn() {}, error() {} };
const faults =
  "ack-lost=0.1,lost=0.1,reject=0.1,http-503=0.1,partial=0.1,expire=0.1,duplicate-report=0.2,stream-cut=0.1,skew-ms=9000";
const exchange = openSimExchange(
  {
    host: "127.0.0.1",
    port: 0,
    speed: 60,
    source: { kind: "market", seed: 1, symbols: ["BTCUSDT"], startMs: DEFAULT_START_MS, folder: null },
    account: { faults: parseVenueFaults(faults) },
  },
  { ...platform, log },
);
const endpoint = venueEndpoint(`http://127.0.0.1:${exchange.port}`);
const broker = openBinanceBroker({ endpoint, keys: SIM_KEYS, timeoutMs: 1000 }, { ...platform, log });
const reports: BrokerReport[] = [];
broker.follow((report) => reports.push(report));

const ORDERS = 40;
let found = 0;
for (let at = 0; at < ORDERS; at++) {
  const order = { clientOrderId: `deno${at}`, symbol: "BTCUSDT", side: "buy", quantity: "0.01" } as const;
  await broker.submit(order);
  let outcome: LookupOutcome = { type: "unknown", reason: "not asked" };
  for (let tries = 0; tries < 100 && (outcome.type === "unknown" || isOpen(outcome)); tries++)
    outcome = await broker.lookup(order);
  if (outcome.type === "found") found++;
}
assert.equal(found, exchange.counters()["venue.orders.total"]);
assert.ok(found > ORDERS / 4 && found < ORDERS);
assert.ok(reports.length > 0);
for (;;) {
  const account = await broker.account(["BTCUSDT"], 0);
  if (account.type === "unknown") continue;
  const held = account.trades.reduce((sum, { quantity, baseFee }) => sum + Number(quantity) - Number(baseFee ?? 0), 0);
  assert.ok(Math.abs(held - Number(account.holdings.get("BTCUSDT"))) < 1e-8);
  break;
}
await broker.close();
await exchange.stop();
console.log(`${platform.runtime}: ${ORDERS} orders on bad days, found as the venue has them`);

function isOpen(outcome: LookupOutcome): boolean {
  return outcome.type === "found" && outcome.status === "open";
}
