import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { zmqBackend } from "#zmq-backend";
import { MessagePublisher } from "../../src/bus/message-publisher.ts";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import type { Frame } from "../../src/core/topic.ts";
import { parseEnvelope } from "../../src/core/wire.ts";
import { realDeps } from "../bus/support.ts";
import { eventually } from "../support/eventually.ts";

const PYTHON = "/usr/bin/python3";

function hasPyzmq(): boolean {
  try {
    return Bun.spawnSync([PYTHON, "-c", "import zmq"]).exitCode === 0;
  } catch {
    return false;
  }
}

const present = hasPyzmq();
if (!present) console.warn(`SKIPPED: the tests with a foreign client need ${PYTHON} with zmq (Debian: python3-zmq)`);

describe.skipIf(!present)(`with Debian's python3-zmq and our libzmq ${zmqBackend.version()}`, () => {
  test("Python hears a fabric publisher: topic, one space, a JSON body with its envelope", async () => {
    const deps = realDeps();
    using socket = new ZmqPublisher({ endpoints: { bind: ["tcp://127.0.0.1:0"] } }, deps);
    const messages = new MessagePublisher({ node: "n", epoch: "e" }, { publisher: socket, ...deps });
    const script = join(import.meta.dir, "../interop/subscribe.py");
    const child = Bun.spawn([PYTHON, script, socket.endpoints[0] ?? "", "market.candle.1m.BTCUSDT ", "500"], {
      stderr: "inherit",
    });
    let output = "";
    const reading = (async () => {
      for await (const chunk of child.stdout) output += new TextDecoder().decode(chunk);
    })();
    await eventually(() => {
      socket.publish("market.candle.1m.BTCUSDT", '{"warm":true}');
      return output.includes("warm");
    });
    for (let n = 0; n < 500; n++) {
      messages.publish("market.candle.1m.BTCUSDTX", { n: -1 });
      messages.publish("market.candle.1m.BTCUSDT", { n, text: "ünïcode".repeat(n % 20) });
    }
    await reading;
    expect(await child.exited).toBe(0);
    const heard = output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
    expect(heard.map(({ body }) => [body.v, body.node, body.seq, body.n])).toEqual(
      Array.from({ length: 500 }, (_, n) => [1, "n", n + 1, n]),
    );
    expect(heard[3].body.text).toBe("ünïcode".repeat(3));
  }, 20_000);

  test("a fabric subscriber hears Python, and counts and skips what is not a message", async () => {
    const deps = realDeps();
    const child = Bun.spawn([PYTHON, join(import.meta.dir, "../interop/publish.py")], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const { value } = await child.stdout.getReader().read();
    const address = new TextDecoder().decode(value).trim();
    const heard: Frame[] = [];
    await using subscriber = await ZmqSubscriber.open(
      { endpoints: { connect: [address] }, filters: [{ prefix: "" }], onMessage: (message) => heard.push(message) },
      deps,
    );
    await eventually(() => {
      child.stdin.write("warm\n");
      child.stdin.flush();
      return heard.length > 0;
    });
    child.stdin.write("all\n");
    child.stdin.end();
    await eventually(() => heard.at(-1)?.body === "end");
    const bodies = heard.filter(({ body }) => body.startsWith("{")).map(({ body }) => parseEnvelope(body));
    expect(bodies.map((body) => (typeof body === "string" ? body : body.seq))).toEqual(
      Array.from({ length: 1000 }, (_, n) => n + 1),
    );
    const { malformed, empty } = subscriber.counters();
    expect({ malformed, empty }).toEqual({ malformed: 3, empty: 1 });
    await child.exited;
  }, 20_000);
});
