import { afterEach, expect, test } from "bun:test";
import fc from "fast-check";
import { platform } from "#platform";
import type { Clock } from "../../src/core/env.ts";
import { type BinanceBroker, openBinanceBroker } from "../../src/execution/binance/binance-broker.ts";
import { venueEndpoint } from "../../src/execution/binance/endpoint.ts";
import { decimal } from "../../src/execution/decimal.ts";
import { journalPath } from "../../src/execution/journal.ts";
import { readOrders } from "../../src/execution/orders.ts";
import type { RunnerCore } from "../../src/execution/runner-core.ts";
import { openSimExchange, type SimExchange } from "../../src/feed/sim/sim-exchange.ts";
import { DEFAULT_START_MS } from "../../src/feed/sim/truth.ts";
import { parseVenueFaults } from "../../src/feed/sim/venue/faults.ts";
import { signed } from "../feed/sim/venue-client.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { KEYS } from "./support/binance-bench.ts";
import { Life } from "./support/crash.ts";
import { rows, trader } from "./support/live-session.ts";
import { deliveryAfter, MemoryMarket } from "./support/market.ts";
import { bindingOf, hostOf, journalIn, quietLog, runnerOf } from "./support/runner.ts";

const ended: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

/** A scene takes two to four seconds. */
const RUNS = Number(process.env.FABRIC_VENUE_RUNS ?? 6);
const MINUTES = [1, 2, 5, 9, 10, 14];
const ORDERS_EACH = 2;
const QUANTITY = "0.02";
const MILD = new Set(["lost", "http-503", "slow"]);
const FINAL = new Set(["filled", "rejected", "expired", "lost"]);

/** Wall time with a part that a test adds, so that a venue's window passes at once. */
class SkippingClock implements Clock {
  #skippedMs = 0;

  nowMs(): number {
    return platform.clock.nowMs() + this.#skippedMs;
  }

  monotonicMs(): number {
    return platform.clock.monotonicMs() + this.#skippedMs;
  }

  skip(ms: number): void {
    this.#skippedMs += ms;
  }
}

interface Scene {
  readonly exchange: SimExchange;
  readonly url: string;
  readonly clock: SkippingClock;
  readonly folder: string;
}

/** One life of a runner on the real broker, from its start to the last candle, or to the step it dies at. */
async function live({ exchange, url, folder }: Scene, life: Life, settle: (core: RunnerCore) => Promise<void>) {
  const strategy = trader(MINUTES, ORDERS_EACH, "buy", QUANTITY);
  const host = hostOf(strategy);
  const real: BinanceBroker = openBinanceBroker(
    { endpoint: venueEndpoint(`http://${url}`), keys: KEYS, timeoutMs: 1000 },
    { ...platform, log: quietLog },
  );
  let core: RunnerCore | null = null;
  try {
    const journal = journalIn(
      folder,
      bindingOf(host, { mode: "live", symbols: ["BTCUSDT"] }),
      life.openSqlite(platform.openSqlite),
    );
    core = runnerOf({
      journal,
      maker: host,
      market: new MemoryMarket(rows),
      broker: life.broker(real),
      exchangeNowMs: () => exchange.exchangeTimeMs(),
    });
    await core.start(0, DEFAULT_START_MS);
    for (const { event, cursor } of deliveryAfter(rows, core.cursor())) {
      await core.handle(event, cursor);
      if (event.type === "candle") await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await settle(core);
    await core.close();
  } finally {
    life.end();
    await real.close();
  }
}

interface VenueRow {
  readonly clientOrderId: string;
  readonly executedQty: string;
}

/** What the venue itself counts, by a client of our own. */
async function venueWord({ exchange, url }: Scene): Promise<{ orders: readonly VenueRow[]; held: string }> {
  return eventually(async () => {
    const orders = await signed({ exchange, url }, "GET", "allOrders", { symbol: "BTCUSDT", limit: 1000 });
    const account = await signed({ exchange, url }, "GET", "account");
    if (orders.status !== 200 || account.status !== 200) return null;
    // Its reads may lag.
    if ((orders.body as unknown as VenueRow[]).length !== exchange.counters()["venue.orders.total"]) return null;
    const balances = account.body.balances as { asset: string; free: string }[];
    return {
      orders: orders.body as unknown as VenueRow[],
      held: balances.find(({ asset }) => asset === "BTC")?.free ?? "0",
    };
  });
}

function openScene(seed: number, faults: string, folder: string): Scene {
  const clock = new SkippingClock();
  const exchange = openSimExchange(
    {
      host: "127.0.0.1",
      port: 0,
      speed: 1,
      source: { kind: "market", seed, symbols: ["BTCUSDT"], startMs: DEFAULT_START_MS, folder: null },
      account: { faults: parseVenueFaults(faults) },
    },
    { ...platform, clock, log: quietLog },
  );
  ended.push(() => exchange.stop());
  return { exchange, url: `127.0.0.1:${exchange.port}`, clock, folder };
}

/** Waits until nothing is open: every order is final once the venue's window has passed, which is skipped to. */
function untilFinal(scene: Scene): (core: RunnerCore) => Promise<void> {
  let skipped = 0;
  return async (core) => {
    await eventually(
      () => {
        if (core.status().state !== "running") throw new Error(core.status().reason ?? "stopped");
        const open = journaled(scene.folder).filter(({ status }) => !FINAL.has(status));
        if (open.length > 0 && skipped++ % 100 === 20) scene.clock.skip(60_000);
        return open.length === 0;
      },
      40_000,
      "every order to be final",
    );
  };
}

const journaled = (folder: string) => readOrders(platform.openSqlite, journalPath(folder, "tester"));

test(
  "Invariant 5 (decide once, intent before order): a runner that dies at any step, at a venue with bad days of every kind, sends no decision twice, and ends with what the venue has",
  async () => {
    // A venue that answers one read in two tells its account never.
    const usual = fc.constantFrom("0", "0.1", "0.3");
    const mild = fc.constantFrom("0", "0.05", "0.15");
    const names = [
      "ack-lost",
      "lost",
      "reject",
      "http-503",
      "partial",
      "expire",
      "duplicate-report",
      "report-before-ack",
      "stream-cut",
      "lag",
      // Looked at after our time-out: an order that comes to life once it was looked up in vain.
      "slow",
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1e6 }),
        fc.array(fc.integer({ min: 5, max: 160 }), { maxLength: 3 }),
        fc.tuple(...names.map((name) => (MILD.has(name) ? mild : usual))),
        fc.constantFrom("0", "5000"),
        async (seed, lives, chances, skew) => {
          using folder = tempFolder();
          const faults = [...names.map((name, at) => `${name}=${chances[at]}`), `skew-ms=${skew}`].join();
          const scene = openScene(seed, faults, folder.path);
          for (const steps of lives) {
            const life = new Life(steps);
            await live(scene, life, () => Promise.resolve()).catch((error: unknown) => {
              if (!life.dead) throw error;
            });
          }
          let position = "0";
          await live(scene, new Life(Number.POSITIVE_INFINITY), async (core) => {
            await untilFinal(scene)(core);
            position = core.positions()[0]?.quantity ?? "0";
          });
          const { orders, held } = await venueWord(scene);
          const ids = orders.map(({ clientOrderId }) => clientOrderId);
          expect(new Set(ids).size).toBe(ids.length);
          const journal = new Map(journaled(folder.path).map((order) => [order.clientOrderId, order.status]));
          expect(journal.size).toBe(MINUTES.length * ORDERS_EACH);
          for (const id of ids)
            expect([id, journal.get(id)]).toEqual([id, expect.stringMatching(/^(filled|rejected)$/)]);
          for (const [id, status] of journal) if (status === "filled") expect(ids).toContain(id);
          for (const { clientOrderId, executedQty } of orders)
            if (journal.get(clientOrderId) === "filled") expect(decimal(executedQty).toFixed()).toBe(QUANTITY);
          expect(decimal(position).toFixed()).toBe(decimal(held).toFixed());
          await scene.exchange.stop();
        },
      ),
      { numRuns: RUNS, endOnFailure: true },
    );
  },
  60_000 + RUNS * 10_000,
);
