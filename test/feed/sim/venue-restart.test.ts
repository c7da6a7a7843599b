import { afterEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { platform } from "#platform";
import { eventually } from "../../support/eventually.ts";
import { fabric, type Running, start } from "../../support/fabric.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { KEY, SECRET } from "./venue-client.ts";

const started: Running[] = [];
afterEach(async () => {
  for (const process of started.splice(0)) await process[Symbol.asyncDispose]();
});

interface Venue {
  readonly process: Running;
  ask(
    method: "GET" | "POST",
    name: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: unknown }>;
}

async function venue(data: string, more: readonly string[] = [], secret = SECRET, key = KEY): Promise<Venue> {
  const process = start(["sim", "--port", "0", "--symbols", "BTCUSDT", "--data", data, ...more]);
  started.push(process);
  const [, port] = await process.says(/Listening on ws:\/\/127\.0\.0\.1:(\d+)/);
  const url = `http://127.0.0.1:${port}/api/v3`;
  const ask: Venue["ask"] = async (method, name, parameters) => {
    const time = await platform.httpGet(`${url}/time`, 3000);
    const { serverTime } = JSON.parse(time.body) as { serverTime: number };
    const query = new URLSearchParams({ ...parameters, timestamp: String(serverTime), recvWindow: "60000" }).toString();
    const signature = createHmac("sha256", secret).update(query).digest("hex");
    const reply = await platform.httpSend(
      { method, url: `${url}/${name}?${query}&signature=${signature}`, headers: { "X-MBX-APIKEY": key }, body: null },
      3000,
    );
    return { status: reply.status, body: JSON.parse(reply.body) as unknown };
  };
  return { process, ask };
}

const ORDER = { symbol: "BTCUSDT", side: "BUY", type: "MARKET", quantity: "0.01" };

test("fabric sim --venue-faults help lists every fault with its kind of value and what it does", async () => {
  const { code, out, err } = await fabric(["sim", "--venue-faults", "help"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  for (const name of ["ack-lost", "timeout-after-accept", "lag", "stream-cut", "skew-ms"])
    expect(out).toMatch(new RegExp(`^${name} +(chance 0 to 1|exchange ms) +\\S`, "m"));
});

describe("The simulated venue under kill -9", () => {
  test("has every order that it answered, however often it dies in the middle of many, and balances that fit the trades", async () => {
    using folder = tempFolder();
    const answered = new Set<string>();
    const asked = new Set<string>();
    for (let life = 0; life < 4; life++) {
      const { process, ask } = await venue(folder.path);
      let over = false;
      const lanes = Array.from({ length: 4 }, async (_, lane) => {
        for (let at = 0; !over; at++) {
          const id = `l${life}-${lane}-${at}`;
          asked.add(id);
          try {
            const { status } = await ask("POST", "order", { ...ORDER, newClientOrderId: id });
            if (status === 200) answered.add(id);
          } catch {
            over = true;
          }
        }
      });
      const before = answered.size;
      await eventually(() => answered.size >= before + 15, 10_000);
      await process.stop("SIGKILL");
      await Promise.all(lanes);
    }
    const { process, ask } = await venue(folder.path);
    const orders = (await ask("GET", "allOrders", { symbol: "BTCUSDT", limit: "1000" })).body as {
      clientOrderId: string;
      executedQty: string;
    }[];
    const known = orders.map(({ clientOrderId }) => clientOrderId);
    expect(new Set(known).size).toBe(known.length);
    expect([...answered].filter((id) => !known.includes(id))).toEqual([]);
    expect(known.filter((id) => !asked.has(id))).toEqual([]);
    const trades = (await ask("GET", "myTrades", { symbol: "BTCUSDT", startTime: "0", limit: "1000" })).body as {
      qty: string;
      commission: string;
    }[];
    expect(trades.length).toBeLessThan(1000);
    const account = (await ask("GET", "account", {})).body as { balances: { asset: string; free: string }[] };
    const held = Number(account.balances.find(({ asset }) => asset === "BTC")?.free);
    expect(held).toBeCloseTo(
      trades.reduce((sum, { qty, commission }) => sum + Number(qty) - Number(commission), 0),
      8,
    );
    expect(held).toBeCloseTo(
      orders.reduce((sum, { executedQty }) => sum + Number(executedQty) * 0.999, 0),
      8,
    );
    expect(await process.stop()).toBe(0);
  }, 60_000);

  test("takes its keys from a file, and then no other", async () => {
    using folder = tempFolder();
    const file = folder.join("keys");
    writeFileSync(file, "a-key-of-my-own\na-secret-of-my-own\n");
    const own = await venue(folder.join("data"), ["--venue-keys", file], "a-secret-of-my-own", "a-key-of-my-own");
    expect((await own.ask("GET", "account", {})).status).toBe(200);
    expect(own.process.err()).not.toContain("a-secret-of-my-own");
    await own.process.stop();
    const stranger = await venue(folder.join("data"), ["--venue-keys", file]);
    expect(await stranger.ask("GET", "account", {})).toMatchObject({ status: 401, body: { code: -2015 } });
    await stranger.process.stop();
  }, 30_000);
});
