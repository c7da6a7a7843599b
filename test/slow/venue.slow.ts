import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { platform } from "#platform";
import { readAllOrders } from "../../src/execution/orders.ts";
import { denoProgram } from "../deno/deno.ts";
import { bun, deno } from "../deno/program.ts";
import { seeded } from "../execution/support/market.ts";
import { SECRET } from "../feed/sim/venue-client.ts";
import { eventually } from "../support/eventually.ts";
import { fabric } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { freePort } from "./support-up.ts";
import { LiveTrading } from "./support-venue.ts";

/** Kills of the runner; every fourth takes the venue with it. */
const KILLS = Number(process.env.FABRIC_VENUE_KILLS ?? 12);
const BAD_DAYS =
  "lag=0.2,ack-lost=0.1,timeout-after-accept=0.02,lost=0.05,reject=0.05,http-503=0.1,slow=0.05,busy=0.03,partial=0.1,expire=0.05," +
  "duplicate-report=0.2,report-before-ack=0.2,stream-cut=0.1,skew-ms=30000";
const FINAL = new Set(["filled", "rejected", "expired", "lost"]);

const executable = await denoProgram();
const RUNTIMES = [bun(), ...(executable === null ? [] : [deno(executable)])];

describe("Orders on the wire", () => {
  for (const runtime of RUNTIMES) {
    test(`${runtime.name} sends a request once, also where a kept connection breaks under it`, async () => {
      await using program = runtime.start("test/deno/send-once.ts", []);
      const { code, out, err } = await program.endsWithin(30_000);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toContain("9 requests broken off, each on the wire once");
    }, 40_000);

    test(`${runtime.name} runs the venue's broker and the simulated venue through bad days, and both agree`, async () => {
      await using program = runtime.start("test/deno/venue.ts", []);
      const { code, out, err } = await program.endsWithin(60_000);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toContain("40 orders on bad days, found as the venue has them");
    }, 70_000);
  }
});

describe("A live runner against the simulated venue", () => {
  test(
    "killed with -9 again and again, the venue too: every order at the venue is a decision of the journal's, none is there twice, and positions equal holdings",
    async () => {
      using folder = tempFolder();
      await using trading = new LiveTrading(folder, freePort(), 5, BAD_DAYS);
      trading.start("sim");
      trading.start("market-data");
      trading.start("runner");
      const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
      const random = seeded(11);
      for (let kill = 0; kill < KILLS; kill++) {
        // Amid orders: in the first second after one more was handed to the venue.
        const before = sentOrders(trading.data);
        await eventually(() => sentOrders(trading.data) > before, 60_000, "another order on its way");
        await wait(random() * 1000);
        await trading.process("runner").stop("SIGKILL");
        if (kill % 4 === 3) {
          await trading.process("sim").stop("SIGKILL");
          await wait(random() * 500);
          trading.start("sim");
        }
        trading.start("runner");
      }
      const before = sentOrders(trading.data);
      await eventually(() => sentOrders(trading.data) > before, 60_000, "orders after the last kill");
      expect((await fabric(["halt", "trader", "--data", trading.data])).code).toBe(0);
      const orders = await eventually(
        async () => {
          const rows = await trading.rows("orders");
          return rows.every(({ status }) => FINAL.has(status ?? "")) ? rows : null;
        },
        90_000,
        "every order to be final",
      );

      const journal = new Map(orders.map((order) => [order.clientOrderId, order.status]));
      // Its reads may lag by half a second.
      await wait(600);
      const atVenue = (await trading.ask("allOrders", { symbol: "BTCUSDT", limit: "1000" })) as unknown as VenueOrder[];
      const ids = atVenue.map(({ clientOrderId }) => clientOrderId);
      expect(new Set(ids).size).toBe(ids.length);
      for (const id of ids) expect([id, journal.get(id)]).toEqual([id, expect.stringMatching(/^(filled|rejected)$/)]);
      for (const [id, status] of journal) if (status === "filled") expect(ids).toContain(id ?? "");
      expect(ids.length).toBeGreaterThan(KILLS / 2);
      const [position] = await trading.rows("positions");
      const { balances } = (await trading.ask("account")) as unknown as { balances: { asset: string; free: string }[] };
      const held = balances.find(({ asset }) => asset === "BTC")?.free ?? "0";
      expect(Number(position?.quantity)).toBeCloseTo(Number(held), 8);
      const { err } = trading.process("runner");
      expect(err()).not.toContain(SECRET);
      for (const role of ["runner", "market-data", "sim"]) expect(await trading.process(role).stop()).toBe(0);
      console.log(`${orders.length} decisions, ${ids.length} orders at the venue, ${KILLS} kills`);
    },
    120_000 + KILLS * 10_000,
  );
});

/** Orders in the journal that the broker was handed. */
function sentOrders(data: string): number {
  if (!existsSync(`${data}/journal/trader.sqlite`)) return 0;
  return readAllOrders(platform, data).filter(({ status }) => status !== "pending" && status !== "expired").length;
}

interface VenueOrder {
  readonly clientOrderId: string;
}
