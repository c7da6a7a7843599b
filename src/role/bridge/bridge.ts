import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { createApp } from "../../bridge/app.ts";

import type { AppBindings } from "../../bridge/peer.ts";

import { HUB_LIMITS } from "../../bridge/sse-limits.ts";

import { TelemetryHub } from "../../bridge/telemetry-hub.ts";
import { ZmqSubscriber } from "../../bus/zmq-subscriber.ts";
import { TOPICS } from "../../core/topic.ts";
import { openBarReader } from "../../store/bar-reader.ts";
import type { Exposure } from "../cli/exposure-flags.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { runNode } from "../lifecycle/node.ts";
import { ownName } from "../lifecycle/own-name.ts";
import { aborted } from "../lifecycle/stop-signal.ts";
import { VERSION } from "../version.ts";
import { dashboardFiles } from "./dashboard-files.ts";
import { Discovery } from "./discovery.ts";
import { openGate, tokenOf } from "./open-gate.ts";

export interface BridgeOptions extends Exposure {
  readonly port: number;
  readonly data: string | undefined;
  readonly name: string | undefined;
  /** Endpoints of nodes elsewhere. */
  readonly telemetry: readonly string[];
  /** Event streams at once. */
  readonly maxClients: number;
}

/** What a client may leave unread in the kernel; past it the hub finds it slow. */
const UNREAD_BYTES = 128 * 1024;

/** The bridge role: hears every node of the folder and shows it over HTTP. It opens no journal and writes to no store. */
export async function runBridge(options: BridgeOptions): Promise<number | undefined> {
  const token = tokenOf(options);
  const folder = dataFolder(options.data);
  return runNode(
    { role: "bridge", name: ownName(options.name ?? "bridge", "bridge"), folder, publish: [] },
    async (node) => {
      const { log } = node;
      const hub = new TelemetryHub({
        ...platform,
        log,
        epoch: platform.random.uuid(),
        version: VERSION,
        hubLimits: { ...HUB_LIMITS, clients: options.maxClients },
      });
      const reader = openBarReader({ folder: folder.path }, platform);
      const assets = dashboardFiles();
      const gate = openGate(options, token, options.port, log);
      const app = createApp({
        ...platform,
        log,
        telemetry: hub,
        candles: reader,
        assets,
        version: VERSION,
        gate,
      });
      const server = platform.serve({
        host: options.host,
        port: options.port,
        fetch: (request, peer) => app.fetch(request, { peer } satisfies AppBindings),
        unreadBytes: UNREAD_BYTES,
      });
      const subscriber = await ZmqSubscriber.open(
        {
          endpoints: { connect: [...options.telemetry] },
          filters: [{ prefix: "telemetry." }, { prefix: TOPICS.candle }],
          onMessage: ({ topic, body }) => hub.ingest(topic, body),
        },
        { backend: zmqBackend, clock: platform.clock, log },
      );
      const discovery = new Discovery(folder.run, subscriber, { ...platform, log });
      log.info(
        `Dashboard on http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${server.port}/`,
      );
      node.tell({
        report: () => {
          const ready = hub.readiness();
          const { received, dropped, malformed, empty, oversize } = subscriber.counters();
          return {
            state: "running",
            reason: null,
            dataAgeMs: ready.dataAgeMs,
            mode: null,
            details: { port: server.port, ready: ready.ready, nodes: discovery.count, login: token !== null },
            values: {
              ...hub.counters(),
              ...gate.counters(),
              "socket.received.total": received,
              "socket.dropped.total": dropped,
              "socket.malformed.total": malformed + empty + oversize,
            },
            rails: [],
          };
        },
      });
      await aborted(node.stop);
      discovery.close();
      gate.close();
      await hub.close();
      await Promise.all([server.stop(), subscriber.close(), reader.close()]);
      return 0;
    },
  );
}
