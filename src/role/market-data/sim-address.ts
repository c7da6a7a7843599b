import { platform } from "#platform";
import type { HttpGet, OpenSocket } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import { readAdvertisement } from "../lifecycle/advertisement.ts";

/** Stands for the data folder's simulated exchange in URLs; its real port is looked up at each connection. */
export const SIM_URL = "ws://sim.localhost:1";

/**
 * The network as a feed of the folder's own simulated exchange sees it: the exchange listens on a free port, another one after
 * each restart, and says which in its advertisement.
 */
export function simNetwork(runFolder: string): { readonly openSocket: OpenSocket; readonly httpGet: HttpGet } {
  const address = () => {
    const found = readAdvertisement(runFolder, platform.files, "sim")?.endpoints.find((each) =>
      each.startsWith("ws://"),
    );
    return found?.slice("ws://".length) ?? null;
  };
  const real = (url: string, host: string) => url.replace("sim.localhost:1", host);
  return {
    openSocket(url, handlers) {
      const host = address();
      if (host !== null) return platform.openSocket(real(url, host), handlers);
      platform.timers.after(0, () => handlers.onClose("no simulated exchange runs in the data folder"));
      return { send: () => undefined, close: () => undefined };
    },
    httpGet(url, timeoutMs) {
      const host = address();
      if (host !== null) return platform.httpGet(real(url, host), timeoutMs);
      return Promise.reject(
        new FabricError(
          "unavailable",
          "No simulated exchange runs in the data folder; start fabric sim --data with the same folder",
        ),
      );
    },
  };
}
