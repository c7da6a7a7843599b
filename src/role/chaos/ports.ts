import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import type { Ports } from "./cast.ts";

/** Below the range that systems hand out by themselves, so that nobody takes one while its node is down. */
const LEAST = 20_000;
const SPAN = 9_000;
const TRIES = 200;

/** Five ports nobody listens on now. Throws FabricError "unavailable" where none can be found. */
export function freePorts(): Ports {
  const taken = new Set<number>();
  const [sim, exchange, market, zmq, bridge] = [0, 0, 0, 0, 0].map(() => freePort(taken));
  return { sim: sim ?? 0, exchange: exchange ?? 0, market: market ?? 0, zmq: zmq ?? 0, bridge: bridge ?? 0 };
}

function freePort(taken: Set<number>): number {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = LEAST + Math.floor(platform.random.next() * SPAN);
    if (taken.has(port)) continue;
    taken.add(port);
    try {
      const server = platform.serve({ host: "127.0.0.1", port, fetch: () => new Response(null, { status: 503 }) });
      void server.stop();
      return port;
    } catch (error) {
      if (!(error instanceof FabricError)) throw error;
    }
  }
  throw new FabricError("unavailable", `Cannot find a free port from ${LEAST} to ${LEAST + SPAN}`);
}
