import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { zmqBackend } from "#zmq-backend";
import { FabricError } from "../../src/core/errors.ts";
import { MAX_FRAME_BYTES } from "../../src/zmq/contract.ts";
import { eventually } from "../support/eventually.ts";
import { type Net, TRANSPORTS } from "./net.ts";

/** What every backend must do, on real sockets: run by Bun's runner and, the same list, on Deno. */
export interface CoreCase {
  readonly title: string;
  run(net: Net): Promise<void>;
}

const perTransport: readonly CoreCase[] = TRANSPORTS.flatMap((transport): readonly CoreCase[] => [
  {
    title: `messages arrive whole, once and in order over ${transport}`,
    async run(net) {
      const pub = net.pub(net.address(transport));
      const sub = await net.sub(pub.endpoints[0] ?? "", ["a."]);
      await net.warm(pub, sub, "a.x");
      const sent = Array.from({ length: 2000 }, (_, at) => `a.x {"n":${at},"text":"${"é".repeat(at % 700)}"}`);
      for (const frame of sent) assert.equal(pub.send(frame), "sent");
      await eventually(() => sub.frames.length >= sent.length);
      assert.deepEqual(sub.frames, sent);
      assert.equal(sub.counters.dropped, 0);
    },
  },
  {
    title: `a subscriber that binds hears a publisher that connects over ${transport}`,
    async run(net) {
      const sub = await net.sub("", ["b"], { endpoints: [{ address: net.address(transport), how: "bind" }] });
      const address = sub.socket.endpoints[0] ?? "";
      const pub = net.pub("", { endpoints: [{ address, how: "connect" }] });
      await net.warm(pub, sub, "b");
      pub.send("b hello");
      await eventually(() => sub.frames.length === 1);
      assert.deepEqual(sub.frames, ["b hello"]);
    },
  },
  {
    title: `a subscriber opened before any publisher hears it once it comes, over ${transport}`,
    async run(net) {
      const early = net.address(transport === "tcp" ? "ipc" : transport);
      const sub = await net.sub(early, ["c"]);
      const pub = net.pub(early);
      await net.warm(pub, sub, "c");
    },
  },
  {
    title: `a late joiner over ${transport} hears what is sent after it joined and nothing from before`,
    async run(net) {
      const pub = net.pub(net.address(transport));
      for (let at = 0; at < 100; at++) pub.send(`d before-${at}`);
      const late = await net.sub(pub.endpoints[0] ?? "", ["d"]);
      await net.warm(pub, late, "d");
      pub.send("d after");
      await eventually(() => late.frames.length > 0);
      assert.deepEqual(late.frames, ["d after"]);
    },
  },
]);

const others: readonly CoreCase[] = [
  {
    title: "an exact subscription ends in a space and leaves longer topics out, a prefix takes them in",
    async run(net) {
      const pub = net.pub(net.address("tcp"));
      const exact = await net.sub(pub.endpoints[0] ?? "", ["m.BTC "]);
      const prefix = await net.sub(pub.endpoints[0] ?? "", ["m.BTC"]);
      await net.warm(pub, exact, "m.BTC");
      await net.warm(pub, prefix, "m.BTC");
      for (const frame of ["m.BTC 1", "m.BTCUSDT 2", "m.BTC 3", "m.ETH 4"]) pub.send(frame);
      await eventually(() => prefix.frames.length === 3 && exact.frames.length === 2);
      assert.deepEqual(prefix.frames, ["m.BTC 1", "m.BTCUSDT 2", "m.BTC 3"]);
      assert.deepEqual(exact.frames, ["m.BTC 1", "m.BTC 3"]);
    },
  },
  {
    title: "subscriptions and connections change at run time",
    async run(net) {
      const first = net.pub(net.address("tcp"));
      const second = net.pub(net.address("tcp"));
      const sub = await net.sub(first.endpoints[0] ?? "", ["a"]);
      await net.warm(first, sub, "a");
      sub.socket.subscribe(new TextEncoder().encode("b"));
      await net.warm(first, sub, "b");
      sub.socket.connect(second.endpoints[0] ?? "");
      await net.warm(second, sub, "b");
      sub.socket.unsubscribe(new TextEncoder().encode("a"));
      await eventually(() => {
        first.send("a gone");
        first.send("b stays");
        return sub.frames.length >= 2 && sub.frames.slice(-2).every((frame) => frame === "b stays");
      });
      sub.socket.disconnect(first.endpoints[0] ?? "");
      await net.warm(second, sub, "b");
      sub.socket.disconnect("tcp://127.0.0.1:9");
      await eventually(() => sub.saw("failed"));
    },
  },
  {
    title: "conflate by topic keeps the newest of every topic, and of every node where asked",
    async run(net) {
      const pub = net.pub(net.address("tcp"));
      const sub = await net.sub(pub.endpoints[0] ?? "", [""], { conflate: "topic", keyByNode: ["metrics"] });
      await net.warm(pub, sub, "warm");
      sub.holding = true;
      await eventually(() => {
        pub.send("filler x");
        return sub.held === 2;
      });
      sub.frames.length = 0;
      const received = sub.counters.received;
      for (let n = 1; n <= 500; n++) {
        pub.send(`price.A ${n}`);
        pub.send(`price.B ${n}`);
        pub.send(`metrics {"v":1,"node":"one","n":${n}}`);
        pub.send(`metrics {"v": 1, "node": "two", "n": ${n}}`);
      }
      await eventually(() => sub.counters.received >= received + 2000);
      sub.resume();
      await eventually(() => sub.frames.filter((frame) => frame.includes("500")).length === 4);
      assert.deepEqual(sub.frames.slice(-4), [
        "price.A 500",
        "price.B 500",
        'metrics {"v":1,"node":"one","n":500}',
        'metrics {"v": 1, "node": "two", "n": 500}',
      ]);
      assert.ok(sub.counters.conflated > 1000);
      assert.equal(sub.counters.dropped, 0);
    },
  },
  {
    title: "conflate by socket keeps only the newest message, whatever its topic",
    async run(net) {
      const pub = net.pub(net.address("tcp"));
      const sub = await net.sub(pub.endpoints[0] ?? "", [""], { conflate: "socket" });
      await net.warm(pub, sub, "warm");
      sub.holding = true;
      await eventually(() => {
        pub.send("first held");
        return sub.held === 1;
      });
      const before = sub.frames.length;
      for (let n = 1; n <= 500; n++) {
        pub.send(`price.A ${n}`);
        pub.send(`price.B ${n}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(sub.frames.length, before);
      sub.resume();
      await eventually(() => sub.frames.at(-1) === "price.B 500");
      assert.ok(sub.frames.length <= before + 3, `expected only the newest, found ${sub.frames.length - before}`);
    },
  },
  {
    title: "at the bound the newest are dropped, counted and reported, and what was kept is in order",
    async run(net) {
      const pub = net.pub(net.address("tcp"));
      const sub = await net.sub(pub.endpoints[0] ?? "", ["x"], { bufferMessages: 100 });
      await net.warm(pub, sub, "x");
      sub.holding = true;
      for (let n = 0; n < 5000; n++) pub.send(`x ${n}`);
      await eventually(() => sub.counters.received >= 5000);
      sub.resume();
      await eventually(() => sub.saw("overflow") && sub.frames.length + sub.counters.dropped === 5000);
      assert.ok(sub.counters.dropped > 0);
      const numbers = sub.frames.map((frame) => Number(frame.slice(2)));
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
      );
      await net.warm(pub, sub, "x");
    },
  },
  {
    title: "frames up to the maximum arrive; larger, empty and malformed ones are counted and skipped",
    async run(net) {
      const pub = net.pub(net.address("tcp"));
      const sub = await net.sub(pub.endpoints[0] ?? "", [""]);
      await net.warm(pub, sub, "x");
      const largest = `x ${"y".repeat(MAX_FRAME_BYTES - 2)}`;
      assert.equal(pub.send(largest), "sent");
      assert.equal(pub.send(`${largest}y`), "oversize");
      assert.equal(pub.send(new Uint8Array(MAX_FRAME_BYTES + 1)), "oversize");
      assert.equal(pub.send("é".repeat(MAX_FRAME_BYTES - 1)), "oversize");
      assert.equal(pub.send(new Uint8Array(0)), "sent");
      assert.equal(pub.send("no-space"), "sent");
      assert.equal(pub.send(" no-topic"), "sent");
      assert.equal(pub.send("x end"), "sent");
      await eventually(() => sub.frames.at(-1) === "x end");
      assert.deepEqual(
        sub.frames.map((frame) => frame.length),
        [MAX_FRAME_BYTES, 5],
      );
      const { empty, malformed, oversize } = sub.counters;
      assert.deepEqual({ empty, malformed, oversize }, { empty: 1, malformed: 2, oversize: 0 });
    },
  },
  {
    title: "connection life is told: retrying, connected, disconnected",
    async run(net) {
      const address = net.address("ipc");
      const sub = await net.sub(address, ["x"]);
      await eventually(() => sub.saw("retrying"));
      const pub = net.pub(address);
      await eventually(() => sub.saw("connected"));
      pub.close();
      await eventually(() => sub.saw("disconnected"));
    },
  },
  {
    title: "a subscriber with the right CURVE key hears, one with a wrong key is told so and hears nothing",
    async run(net) {
      const server = zmqBackend.curveKeyPair();
      const client = zmqBackend.curveKeyPair();
      const pub = net.pub(net.address("tcp"), { curve: { server: { secretKey: server.secretKey } } });
      const address = pub.endpoints[0] ?? "";
      const right = await net.sub(address, ["x"], { curve: { client: { serverKey: server.publicKey, ...client } } });
      const wrong = await net.sub(address, ["x"], { curve: { client: { serverKey: client.publicKey, ...client } } });
      await net.warm(pub, right, "x");
      await eventually(() => wrong.saw("handshake-failed"));
      assert.equal(wrong.counters.received, 0);
    },
  },
  {
    title: "a bad endpoint is a usage error, an address in use unavailable, an impossible ipc path an io error",
    async run(net) {
      const codeOf = (address: string) => {
        try {
          net.pub(address);
        } catch (error) {
          if (error instanceof FabricError) return error.code;
        }
        return null;
      };
      const bad = [
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:99999",
        "udp://x:1",
        "ipc://",
        "inproc://",
        `ipc://${"x".repeat(108)}`,
      ];
      for (const address of bad) assert.equal(codeOf(address), "usage", address);
      const pub = net.pub(net.address("tcp"));
      assert.equal(codeOf(pub.endpoints[0] ?? ""), "unavailable");
      assert.equal(codeOf("ipc:///no-such-folder/x.ipc"), "io");
      await assert.rejects(net.sub("tcp://127.0.0.1:0", ["x"]), { code: "usage" });
      const busy = net.sub("", ["x"], { endpoints: [{ address: pub.endpoints[0] ?? "", how: "bind" }] });
      await assert.rejects(busy, { code: "unavailable" });
    },
  },
  {
    title:
      "an ipc path that was deleted, or taken by another file, is bound anew; who is connected stays, who comes is heard",
    async run(net) {
      const address = net.address("ipc");
      const path = address.slice("ipc://".length);
      const pub = net.pub(address);
      assert.deepEqual(pub.rebindLost(), []);
      const first = await net.sub(address, ["x"]);
      await net.warm(pub, first, "x");
      rmSync(path);
      const second = await net.sub(address, ["x"]);
      await eventually(() => second.saw("retrying"));
      assert.deepEqual(pub.rebindLost(), [address]);
      assert.deepEqual(pub.rebindLost(), []);
      await net.warm(pub, second, "x");
      writeFileSync(`${path}.other`, "");
      renameSync(`${path}.other`, path);
      assert.deepEqual(pub.rebindLost(), [address]);
      const third = await net.sub(address, ["x"]);
      await net.warm(pub, third, "x");
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(first.saw("disconnected"), false);
      pub.close();
      assert.equal(existsSync(path), false);
    },
  },
  {
    title: "an ipc path that is deleted again and again is bound anew every time, with a bounded number of open files",
    async run(net) {
      const address = net.address("ipc");
      const path = address.slice("ipc://".length);
      const pub = net.pub(address);
      const sub = await net.sub(address, ["x"]);
      await net.warm(pub, sub, "x");
      const openFiles = () => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);
      const before = openFiles();
      for (let times = 0; times < 100; times++) {
        rmSync(path);
        assert.deepEqual(pub.rebindLost(), [address]);
        assert.ok(existsSync(path));
      }
      await eventually(() => openFiles() <= before + 20);
      await net.warm(pub, sub, "x");
    },
  },
  {
    title: "an ipc path whose folder is gone is an io error, and is bound anew once there is a folder again",
    async run(net) {
      const file = net.address("ipc");
      const folder = `${file.slice("ipc://".length)}.d`;
      mkdirSync(folder);
      const address = `ipc://${folder}/x.ipc`;
      const pub = net.pub(address);
      rmSync(folder, { recursive: true });
      for (let tries = 0; tries < 2; tries++) assert.throws(() => pub.rebindLost(), { code: "io" });
      const sub = await net.sub(address, ["x"]);
      mkdirSync(folder);
      assert.deepEqual(pub.rebindLost(), [address]);
      await net.warm(pub, sub, "x");
    },
  },
  {
    title: "a closed publisher answers failed, a closed subscriber keeps its counts, and both close twice",
    async run(net) {
      const pub = net.pub(net.address("tcp"));
      const sub = await net.sub(pub.endpoints[0] ?? "", ["x"]);
      await net.warm(pub, sub, "x");
      pub.close();
      pub.close();
      assert.equal(pub.send("x y"), "failed");
      assert.notEqual(pub.lastError, null);
      await sub.close();
      await sub.close();
      sub.socket.subscribe(new Uint8Array(0));
      assert.ok(sub.counters.received >= 1);
      assert.equal(sub.statuses.filter((status) => status.type === "closed").length, 1);
    },
  },
];

export const CORE_CASES: readonly CoreCase[] = [...perTransport, ...others];
