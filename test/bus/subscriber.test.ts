import { describe, expect, test } from "bun:test";
import type { ZmqSubscriberOptions } from "../../src/bus/subscriber-options.ts";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import type { Frame } from "../../src/core/topic.ts";
import { eventually } from "../support/eventually.ts";
import { realDeps, warm } from "./support.ts";

class Pair implements AsyncDisposable {
  readonly deps = realDeps();
  readonly publisher = new ZmqPublisher({ endpoints: { bind: ["tcp://127.0.0.1:0"] } }, this.deps);
  readonly opened: ZmqSubscriber[] = [];

  async open(options: Partial<ZmqSubscriberOptions>): Promise<ZmqSubscriber> {
    const subscriber = await ZmqSubscriber.open(
      { endpoints: { connect: this.publisher.endpoints }, filters: [{ prefix: "" }], ...options },
      this.deps,
    );
    this.opened.push(subscriber);
    return subscriber;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const subscriber of this.opened) await subscriber.close();
    this.publisher.close();
  }
}

describe("ZmqSubscriber", () => {
  test("an exact filter leaves longer topics out, a prefix takes them, and both change at run time", async () => {
    await using pair = new Pair();
    const heard: Frame[] = [];
    const filters = [{ topic: "m.BTC" }, { prefix: "t." }];
    const subscriber = await pair.open({ filters, onMessage: (message) => heard.push(message) });
    await warm(pair.publisher, heard, "m.BTC");
    await warm(pair.publisher, heard, "t.any");
    pair.publisher.publish("m.BTCUSDT", "no");
    pair.publisher.publish("m.BTC", "yes");
    await eventually(() => heard.at(-1)?.body === "yes");
    expect(heard.some(({ topic }) => topic === "m.BTCUSDT")).toBe(false);
    subscriber.subscribe({ topic: "m.BTCUSDT" });
    await warm(pair.publisher, heard, "m.BTCUSDT");
    expect(() => subscriber.subscribe({ topic: "a b" })).toThrow("topics have no spaces");
  });

  test("onMessages gets what came together, in order", async () => {
    await using pair = new Pair();
    const heard: Frame[] = [];
    await pair.open({ onMessages: (messages) => heard.push(...messages) });
    await warm(pair.publisher, heard, "w");
    for (let n = 0; n < 1000; n++) pair.publisher.publish("n", String(n));
    await eventually(() => heard.at(-1)?.body === "999");
    const numbers = heard.filter(({ topic }) => topic === "n").map(({ body }) => Number(body));
    expect(numbers).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  });

  test("a callback that throws or rejects is counted and logged, and the rest arrives", async () => {
    await using pair = new Pair();
    const heard: Frame[] = [];
    const subscriber = await pair.open({
      onMessage: (message) => {
        heard.push(message);
        if (message.topic === "bad") throw new Error("consumer bug");
        if (message.topic === "later") return Promise.reject(new Error("async bug"));
      },
    });
    await warm(pair.publisher, heard, "w");
    for (const topic of ["bad", "later", "bad", "end"]) pair.publisher.publish(topic, "{}");
    await eventually(() => heard.at(-1)?.topic === "end");
    await eventually(() => subscriber.counters().consumerErrors === 3);
    expect(pair.deps.log.warnings.length).toBe(1);
  });

  test("iterating gives every message in order, and return frees a pending next, twice", async () => {
    await using pair = new Pair();
    const subscriber = await pair.open({});
    const messages = subscriber[Symbol.asyncIterator]();
    const first = messages.next();
    await eventually(() => {
      pair.publisher.publish("a", "warm");
      return Bun.peek.status(first) === "fulfilled";
    });
    for (let n = 0; n < 100; n++) pair.publisher.publish("n", String(n));
    const bodies: string[] = [];
    for await (const { body } of { [Symbol.asyncIterator]: () => ({ next: () => messages.next() }) }) {
      if (body !== "warm") bodies.push(body);
      if (body === "99") break;
    }
    expect(bodies).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
    const pending = messages.next();
    expect(await messages.return?.()).toEqual({ value: undefined, done: true });
    expect(await pending).toEqual({ value: undefined, done: true });
    expect(await messages.return?.()).toEqual({ value: undefined, done: true });
    pair.publisher.publish("n", "late");
    await eventually(() => subscriber.counters().discarded > 0);
  });

  test("an iterator nobody reads holds back the thread at its bound: newest dropped, counted and reported", async () => {
    await using pair = new Pair();
    const subscriber = await pair.open({ bufferMessages: 50 });
    await eventually(() => {
      pair.publisher.publish("a", "{}");
      return subscriber.counters().received > 0;
    });
    for (let n = 0; n < 1000; n++) pair.publisher.publish("a", "{}");
    await eventually(() => subscriber.counters().received >= 1000);
    const { received, dropped } = subscriber.counters();
    expect(received - dropped).toBe(50);
    for await (const status of subscriber.statuses) if (status.type === "overflow") break;
    let taken = 0;
    for await (const _message of subscriber) if (++taken === 50) break;
    expect(taken).toBe(50);
  });

  test("frames that are not UTF-8 are counted as malformed", async () => {
    await using pair = new Pair();
    const heard: Frame[] = [];
    const socket = pair.deps.backend.openPublisher({
      endpoints: [{ address: "tcp://127.0.0.1:0", how: "bind" }],
      sendHighWaterMark: 10,
    });
    const subscriber = await pair.open({ onMessage: (message) => heard.push(message) });
    subscriber.connect(socket.endpoints[0] ?? "");
    await eventually(() => {
      socket.send(new Uint8Array([0x61, 0x20, 0xff, 0xfe]));
      return subscriber.counters().malformed > 0;
    });
    await warm(pair.publisher, heard, "w");
    socket.close();
  });

  test("statuses come as a stream and by callback, and both end with closed", async () => {
    await using pair = new Pair();
    const told: string[] = [];
    const subscriber = await pair.open({ onStatus: (status) => told.push(status.type), onMessage() {} });
    await eventually(() => told.includes("connected"));
    await subscriber.close();
    const streamed: string[] = [];
    for await (const status of subscriber.statuses) streamed.push(status.type);
    expect(streamed).toEqual(told);
    expect(streamed.at(-1)).toBe("closed");
  });

  test("conflate by topic keeps metrics per node for a consumer that iterates slowly", async () => {
    await using pair = new Pair();
    const subscriber = await pair.open({ conflate: "topic" });
    await eventually(() => {
      pair.publisher.publish("a", "{}");
      return subscriber.counters().delivered >= 2;
    });
    const before = subscriber.counters().received;
    for (let n = 0; n < 300; n++) {
      for (const node of ["one", "two"]) pair.publisher.publish("telemetry.metrics", JSON.stringify({ node, n }));
    }
    await eventually(() => subscriber.counters().received >= before + 600);
    const newest: string[] = [];
    for await (const { topic, body } of subscriber) {
      if (topic === "telemetry.metrics" && body.includes('"n":299')) newest.push(body);
      if (newest.length === 2) break;
    }
    expect(newest).toEqual(['{"node":"one","n":299}', '{"node":"two","n":299}']);
    expect(subscriber.counters().dropped).toBe(0);
  });
});
