import { TelemetryHub } from "../../src/bridge/telemetry-hub.ts";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import { FabricError } from "../../src/core/errors.ts";
import { TOPICS } from "../../src/core/topic.ts";
import { takeNameLock } from "../../src/role/lifecycle/name-lock.ts";
import type { Life } from "./life.ts";
import { MARKET_ADDRESS, type Machine, RUN } from "./machine.ts";
import { telemetryAddress } from "./telemetry.ts";

/** What a run's checks want to know of a living bridge. */
export interface BridgeFacts {
  hub: TelemetryHub | null;
  life: Life | null;
}

/** The bridge's memory as a node: it hears everybody, and nothing that it does may change anything for them. */
export async function bridgeLife(machine: Machine, facts: BridgeFacts, life: Life, stop: AbortSignal): Promise<void> {
  const lock = takeNameLock(RUN, life.node, machine.sqlite.opener(life));
  if (!lock) throw new FabricError("refused", `${life.node} runs already`);
  machine.claim(life);
  const { clock, timers, log } = life;
  const hub = new TelemetryHub({ clock, timers, log, epoch: life.random.uuid(), version: "0" });
  facts.hub = hub;
  facts.life = life;
  const runners = machine.world.scenario.runners.map(({ name }) => telemetryAddress(name));
  const subscriber = await ZmqSubscriber.open(
    {
      endpoints: { connect: [MARKET_ADDRESS, ...runners] },
      filters: [{ prefix: "telemetry." }, { prefix: TOPICS.candle }],
      onMessage: ({ topic, body }) => hub.ingest(topic, body),
    },
    { backend: machine.wire.backend(life), clock, log },
  );
  await new Promise<void>((resolve) => stop.addEventListener("abort", () => resolve(), { once: true }));
  await hub.close();
  await subscriber.close();
  machine.yield(life);
  lock.release();
}
