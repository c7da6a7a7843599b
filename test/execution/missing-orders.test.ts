import { expect, test } from "bun:test";
import { TradingHalt } from "../../src/execution/order-news.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { liveSession, minuteAt, startedSession, statuses, trader } from "./support/live-session.ts";
import { Venue } from "./support/venue.ts";

/** A venue that takes an order and then knows nothing of it, as a test network that was set back. */
function forgetful(): Venue {
  const venue = new Venue();
  venue.accountSays = "known";
  const submit = venue.submit.bind(venue);
  let isFirst = true;
  venue.submit = (order) => {
    if (!isFirst) return submit(order);
    isFirst = false;
    return Promise.resolve({ type: "accepted", fills: [] });
  };
  return venue;
}

test("An open order that the venue does not know is told once while running, and the runner is degraded", async () => {
  using folder = tempFolder();
  const told: string[] = [];
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, error: quiet, warn: (message: string) => void told.push(message) };
  const parts = { folder: folder.path, broker: forgetful(), strategy: trader([1]), symbols: ["BTCUSDT"], log };
  const { core, upTo, time } = await startedSession(parts);
  await upTo(1);
  await time.by(30_000);
  expect(core.status().state).toBe("running");
  await time.by(300_000);
  expect([core.status().state, core.counters()["orders.missing"], statuses(folder.path)]).toEqual([
    "degraded",
    1,
    ["open"],
  ]);
  expect(told.filter((message) => message.includes("does not know order"))).toHaveLength(1);
  await core.close();
});

test("Where the venue does not know an open order a start halts; --accept-broker gives the order up, and trading goes on", async () => {
  using folder = tempFolder();
  const venue = forgetful();
  const exchange = { nowMs: null as number | null };
  const parts = { folder: folder.path, broker: venue, strategy: trader([1, 10]), exchange, symbols: ["BTCUSDT"] };
  const first = await startedSession(parts);
  await first.upTo(3);
  await first.core.close();
  const refused = liveSession(parts);
  const error = await refused.time.until(refused.core.start(0, minuteAt(0))).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TradingHalt);
  expect(String(error)).toMatch(/the journal has order f\w+ as open, and the venue does not know it/);
  await refused.core.close();

  const accepting = await startedSession({ ...parts, options: { acceptBroker: true, maxInFlightPerSymbol: 1 } });
  expect(statuses(folder.path)).toEqual(["lost"]);
  await accepting.upTo(12);
  expect([accepting.core.status().state, statuses(folder.path)]).toEqual(["running", ["filled", "lost"]]);
  await accepting.core.close();
});
