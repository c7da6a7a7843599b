import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import { type CandleBody, parseCandleBody } from "../../src/core/wire.ts";

/** Everything a foreign reader hears of one publisher, from before its start. */
export interface Heard extends AsyncDisposable {
  readonly candles: readonly CandleBody[];
  /** What could not be read as a candle, and why. */
  readonly faults: readonly string[];
  /** Ms since the newest candle. */
  readonly silentMs: number;
}

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Subscribes to a node's ipc socket, which need not be there yet. */
export async function listen(socket: string): Promise<Heard> {
  const candles: CandleBody[] = [];
  const faults: string[] = [];
  let heardMs = performance.now();
  const subscriber = await ZmqSubscriber.open(
    {
      endpoints: { connect: [`ipc://${socket}`] },
      filters: [{ prefix: "market.candle." }],
      reconnectMs: 10,
      reconnectMaxMs: 10,
      onMessage: ({ body }) => {
        const candle = parseCandleBody(body);
        if (typeof candle === "string") faults.push(candle);
        else candles.push(candle);
        heardMs = performance.now();
      },
    },
    { backend: zmqBackend, clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() }, log: quiet },
  );
  return {
    candles,
    faults,
    get silentMs() {
      return performance.now() - heardMs;
    },
    [Symbol.asyncDispose]: () => subscriber.close(),
  };
}
