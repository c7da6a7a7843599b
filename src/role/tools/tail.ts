import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../bus/zmq-subscriber.ts";
import { Discovery } from "../bridge/discovery.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { useEmbeddedLibzmq } from "../lifecycle/embedded-libzmq.ts";
import { nodeLog } from "../lifecycle/node-log.ts";
import { aborted, stopSignal } from "../lifecycle/stop-signal.ts";

export interface TailOptions {
  /** Only topics that begin so; all where empty. With a space at its end, as on the wire: that topic alone. */
  readonly prefix: string;
  /** End after this many messages; null for ever. */
  readonly count: number | null;
  readonly json: boolean;
  readonly data: string | undefined;
  readonly endpoints: readonly string[];
}

/** Prints messages as they arrive: `topic body` a line, or with json one object with the topic first. */
export async function runTail(options: TailOptions): Promise<number> {
  const folder = dataFolder(options.data);
  const log = nodeLog("tail", () => undefined);
  using stop = stopSignal();
  useEmbeddedLibzmq();
  let left = options.count ?? Number.POSITIVE_INFINITY;
  process.stdout.on("error", () => stop.stop("the reader is gone"));
  const subscriber = await ZmqSubscriber.open(
    {
      endpoints: { connect: [...options.endpoints] },
      filters: [options.prefix.endsWith(" ") ? { topic: options.prefix.slice(0, -1) } : { prefix: options.prefix }],
      onMessage: ({ topic, body }) => {
        if (left <= 0) return;
        process.stdout.write(
          options.json ? `{"topic":${JSON.stringify(topic)},${body.slice(1)}\n` : `${topic} ${body}\n`,
        );
        if (--left <= 0) stop.stop("the count is reached");
      },
    },
    { backend: zmqBackend, clock: platform.clock, log },
  );
  const discovery = options.endpoints.length > 0 ? null : new Discovery(folder.run, subscriber, { ...platform, log });
  if (discovery?.count === 0) process.stderr.write(`fabric: no node is alive in ${folder.path} yet; waiting\n`);
  await aborted(stop.signal);
  discovery?.close();
  await subscriber.close();
  return 0;
}
