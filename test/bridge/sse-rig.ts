import { SseHub, type StreamOptions } from "../../src/bridge/sse-hub.ts";
import { HUB_LIMITS, HUB_TIMES, type HubLimits, type HubTimes } from "../../src/bridge/sse-limits.ts";
import { ManualTime } from "./bridge-fixture.ts";
import { SseReader } from "./sse-reader.ts";

/** A hub of life "life" on time that only `advance` moves. */
export function hubWith(limits: Partial<HubLimits> = {}, times: Partial<HubTimes> = {}) {
  const time = new ManualTime();
  const hub = new SseHub({
    clock: time,
    timers: time,
    epoch: "life",
    greeting: () => ({ type: "bridge", data: { here: true } }),
    limits: { ...HUB_LIMITS, ...limits },
    times: { ...HUB_TIMES, ...times },
  });
  const connect = (options: StreamOptions = {}) => {
    const stream = hub.connect(options);
    if (!stream) throw new Error("The hub refused a client");
    return stream;
  };
  return {
    time,
    hub,
    connect,
    join: (options: StreamOptions = {}) => new SseReader(connect(options)),
    publish: (type: string, subject: string, data: unknown, whole?: () => unknown) =>
      hub.publish({ type, key: `${type} ${subject}`, subject, data, ...(whole ? { whole } : {}) }),
  };
}

/** Lets readers take what was handed over. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}
