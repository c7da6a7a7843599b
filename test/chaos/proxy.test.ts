import { afterEach, expect, test } from "bun:test";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { WireProxy } from "../../src/role/chaos/proxy.ts";
import { freePort } from "../slow/support-up.ts";
import { eventually } from "../support/eventually.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server that sends back what it gets, behind a proxy. */
async function echo(): Promise<{ proxy: WireProxy; port: number; accepted: Socket[] }> {
  const accepted: Socket[] = [];
  const server: Server = createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => socket.write(chunk));
  });
  const target = freePort();
  await new Promise<void>((resolve) => server.listen(target, "127.0.0.1", resolve));
  closing.push(() => server.close());
  const port = freePort();
  const proxy = await WireProxy.open(port, target);
  closing.push(() => proxy.close());
  return { proxy, port, accepted };
}

interface Client {
  readonly socket: Socket;
  got(): string;
  closed(): boolean;
}

async function connect(port: number): Promise<Client> {
  const socket = createConnection({ port, host: "127.0.0.1" });
  let got = "";
  let closed = false;
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => {
    got += chunk.toString();
  });
  socket.on("close", () => {
    closed = true;
  });
  closing.push(() => socket.destroy());
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return { socket, got: () => got, closed: () => closed };
}

test("a wire in order carries every byte both ways, more than its buffers hold", async () => {
  const { port } = await echo();
  const client = await connect(port);
  const text = "abcdefgh".repeat(2 * 1024 * 1024);
  client.socket.write(text);
  await eventually(() => client.got().length === text.length, 20_000, "everything to come back");
  expect(client.got() === text).toBe(true);
}, 30_000);

test("a cut wire ends both sides of every connection, and new ones work", async () => {
  const { proxy, port, accepted } = await echo();
  const client = await connect(port);
  client.socket.write("one");
  await eventually(() => client.got() === "one");
  proxy.hurt("cut", 100, 0);
  await eventually(() => client.closed() && accepted[0]?.destroyed);
  const next = await connect(port);
  next.socket.write("two");
  await eventually(() => next.got() === "two");
});

test("a stalled wire holds everything back and then delivers all of it, in order", async () => {
  const { proxy, port } = await echo();
  const client = await connect(port);
  client.socket.write("a");
  await eventually(() => client.got() === "a");
  proxy.hurt("stall", 60_000, 0);
  for (let at = 0; at < 50; at++) client.socket.write(`${at} `);
  const other = await connect(port);
  other.socket.write("x");
  await new Promise((resolve) => setImmediate(resolve));
  expect([client.got(), other.got()]).toEqual(["a", ""]);
  proxy.heal();
  const all = `a${Array.from({ length: 50 }, (_, at) => `${at} `).join("")}`;
  await eventually(() => client.got() === all && other.got() === "x");
});

test("a slow wire delivers late, not out of order", async () => {
  const { proxy, port } = await echo();
  const client = await connect(port);
  proxy.hurt("slow", 60_000, 150);
  const startMs = performance.now();
  client.socket.write("1");
  await eventually(() => client.got() === "1");
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(290);
  for (let at = 2; at < 9; at++) client.socket.write(`${at}`);
  proxy.heal();
  client.socket.write("9");
  await eventually(() => client.got() === "123456789");
});

test("a refusing wire takes nobody, and does again by itself when its time is over", async () => {
  const { proxy, port } = await echo();
  proxy.hurt("refuse", 300, 0);
  const refused = await connect(port);
  await eventually(() => refused.closed());
  await eventually(async () => {
    const client = await connect(port);
    client.socket.write("y");
    await eventually(() => client.got() === "y", 200);
    return true;
  });
});

test("a half-open wire tells neither side, whatever else is done to it; new connections work", async () => {
  const { proxy, port, accepted } = await echo();
  const client = await connect(port);
  client.socket.write("a");
  await eventually(() => client.got() === "a");
  proxy.hurt("half-open", 10, 0);
  client.socket.write("b");
  proxy.hurt("cut", 10, 0);
  proxy.heal();
  const other = await connect(port);
  other.socket.write("z");
  await eventually(() => other.got() === "z");
  expect([client.got(), client.closed(), accepted[0]?.destroyed]).toEqual(["a", false, false]);
  await proxy.close();
  await eventually(() => client.closed());
});
