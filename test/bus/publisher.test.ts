import { describe, expect, test } from "bun:test";
import { MessagePublisher } from "../../src/bus/message-publisher.ts";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import type { Frame } from "../../src/core/topic.ts";
import { parseEnvelope } from "../../src/core/wire.ts";
import { MAX_FRAME_BYTES } from "../../src/zmq/contract.ts";
import { eventually } from "../support/eventually.ts";
import { ManualTime, realDeps, WarnLog, warm } from "./support.ts";

const LOCAL = { bind: ["tcp://127.0.0.1:0"] };

describe("ZmqPublisher", () => {
  test("publishes topic and body to a subscriber and says where it is bound", async () => {
    const deps = realDeps();
    using publisher = new ZmqPublisher({ endpoints: LOCAL }, deps);
    expect(publisher.endpoints[0]).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    const heard: Frame[] = [];
    const filters = [{ prefix: "" }];
    await using _subscriber = await ZmqSubscriber.open(
      { endpoints: { connect: publisher.endpoints }, filters, onMessage: (message) => heard.push(message) },
      deps,
    );
    await warm(publisher, heard, "t");
    publisher.publish("market.candle.1m.BTCUSDT", '{"text":"ünï 100 %"}');
    await eventually(() => heard.at(-1)?.topic === "market.candle.1m.BTCUSDT");
    expect(heard.at(-1)?.body).toBe('{"text":"ünï 100 %"}');
  });

  test("counts bad topics, oversize frames and sends after close, and never throws", () => {
    const deps = realDeps();
    const publisher = new ZmqPublisher({ endpoints: LOCAL }, deps);
    publisher.publish("a", "{}");
    publisher.publish("has space", "{}");
    publisher.publish("", "{}");
    publisher.publish("a", "x".repeat(MAX_FRAME_BYTES));
    publisher.close();
    publisher.close();
    publisher.publish("a", "{}");
    expect(publisher.counters()).toEqual({ sent: 1, again: 0, oversize: 1, failed: 3 });
  });

  test("says each kind of failure at most once a second, with how many went unsaid", () => {
    const time = new ManualTime();
    const log = new WarnLog();
    const publisher = new ZmqPublisher({ endpoints: LOCAL }, { ...realDeps(), clock: time, log });
    publisher.close();
    for (let at = 0; at < 100; at++) publisher.publish("a", "{}");
    publisher.publish("a", "x".repeat(MAX_FRAME_BYTES));
    expect(log.warnings.map(({ fields }) => fields.kind)).toEqual(["failed"]);
    time.advance(1000);
    publisher.publish("a", "{}");
    expect(log.warnings.length).toBe(2);
    expect(log.warnings[1]?.fields.unsaid).toBe(100);
  });

  test("refuses a bad endpoint and one in use, by the right error codes", () => {
    const deps = realDeps();
    using publisher = new ZmqPublisher({ endpoints: LOCAL }, deps);
    const codeOf = (address: string) => {
      try {
        new ZmqPublisher({ endpoints: { bind: [address] } }, deps).close();
      } catch (error) {
        return error;
      }
      return null;
    };
    expect(codeOf("nonsense")).toMatchObject({ code: "usage" });
    expect(codeOf(publisher.endpoints[0] ?? "")).toMatchObject({ code: "unavailable" });
  });
});

describe("MessagePublisher", () => {
  function recording(maxTopics?: number) {
    const sent: { topic: string; body: string }[] = [];
    const publisher = { publish: (topic: string, body: string) => sent.push({ topic, body }) };
    const deps = { publisher, clock: new ManualTime(), log: new WarnLog() };
    const options = { node: "n1", epoch: "e1", ...(maxTopics && { maxTopics }) };
    return { sent, log: deps.log, messages: new MessagePublisher(options, deps) };
  }
  const seqs = (sent: readonly { body: string }[]) => sent.map(({ body }) => JSON.parse(body).seq);

  test("puts the envelope first and counts seq per topic from 1", () => {
    const { sent, messages } = recording();
    messages.publish("a", { x: 1 });
    messages.publish("b", {});
    messages.publish("a", { x: 2 });
    expect(sent[0]?.body).toBe('{"v":1,"node":"n1","epoch":"e1","seq":1,"sentAt":1000000,"x":1}');
    expect(parseEnvelope(sent[2]?.body ?? "")).toMatchObject({ seq: 2, node: "n1", epoch: "e1", x: 2 });
    expect(seqs(sent)).toEqual([1, 1, 2]);
  });

  test("forgets the least recently used topic at its bound, and seq still never goes back", () => {
    const { sent, messages } = recording(2);
    for (const topic of ["a", "a", "a", "b", "c", "a", "c", "b"]) messages.publish(topic, {});
    expect(seqs(sent)).toEqual([1, 2, 3, 1, 1, 4, 2, 4]);
  });

  test("counts and logs a body that cannot be written, and carries on", () => {
    const { sent, messages, log } = recording();
    messages.publish("a", { big: 1n });
    messages.publish("a", {});
    expect(messages.failed).toBe(1);
    expect(log.warnings.length).toBe(1);
    expect(seqs(sent)).toEqual([2]);
  });
});
