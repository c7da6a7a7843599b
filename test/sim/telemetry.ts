import { LogRing } from "../../src/bus/log-ring.ts";
import { MessagePublisher } from "../../src/bus/message-publisher.ts";
import { TelemetryPublisher } from "../../src/bus/telemetry-publisher.ts";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import type { NodeRole, NodeState } from "../../src/core/wire.ts";
import type { RunnerLife } from "../../src/role/runner/runner-life.ts";
import type { Life } from "./life.ts";
import type { Machine } from "./machine.ts";
import { Killed } from "./world.ts";

export interface TelemetrySource {
  readonly role: NodeRole;
  state(): NodeState;
  readonly runner: RunnerLife | null;
}

/** Where a node's telemetry is heard. */
export function telemetryAddress(node: string): string {
  return `ipc:///data/run/${node}.ipc`;
}

/** A node's socket of its own with its telemetry on it, as lifecycle/node.ts has it. Publishing never throws into the node. */
export function publishTelemetry(machine: Machine, life: Life, source: TelemetrySource): void {
  const deps = { clock: life.clock, timers: life.timers, log: life.log };
  const socket = new ZmqPublisher(
    { endpoints: { bind: [telemetryAddress(life.node)] } },
    { ...deps, backend: machine.wire.backend(life) },
  );
  const messages = new MessagePublisher({ node: life.node, epoch: life.random.uuid() }, { ...deps, publisher: socket });
  tellOf(life, source, watched(life, messages));
}

/** Any throw that is not the node's own death breaks invariant 7. */
export function watched(life: Life, publisher: { publish(topic: string, fields: object): void }) {
  return {
    publish(topic: string, fields: object) {
      try {
        publisher.publish(topic, fields);
      } catch (error) {
        if (!(error instanceof Killed)) life.world.violate(7, `${life.name}: publishing on ${topic} threw: ${error}`);
        throw error;
      }
    },
  };
}

/** Snapshots on timers, over a socket that the node has already. */
export function tellOf(
  life: Life,
  { role, state, runner }: TelemetrySource,
  publisher: { publish(topic: string, fields: object): void },
): void {
  const logs = new LogRing();
  logs.add({ at: life.clock.nowMs(), level: "info", message: "started" });
  const mode = runner === null ? null : ("paper" as const);
  new TelemetryPublisher(
    { node: life.node },
    {
      health: () => ({
        ...{ role, pid: 1, version: "0", uptimeMs: Math.round(life.clock.monotonicMs()), state: state(), reason: null },
        ...{ dataAgeMs: null, mode, details: {} },
      }),
      metrics: () => ({ role, values: { ...runner?.counters() }, rails: runner?.rails() ?? [] }),
      ...(runner === null
        ? {}
        : {
            positions: () => ({
              ...{ mode: "paper" as const, strategy: "sim", positions: runner.positions(), orders: runner.orders() },
              ...runner.account(),
            }),
          }),
      logs,
    },
    { publisher, timers: life.timers, clock: life.clock, log: life.log },
  );
}
