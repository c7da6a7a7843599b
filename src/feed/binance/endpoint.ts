import { FabricError } from "../../core/errors.ts";

export const DEFAULT_BINANCE_URL = "wss://stream.binance.com:9443";
const DEFAULT_REST = "https://api.binance.com";

export interface BinanceEndpoint {
  /** WebSocket address of the combined streams. */
  readonly streamUrl: string;
  /** REST base without a trailing slash. */
  readonly restUrl: string;
  /** What the store is bound to where the venue does not declare itself simulated. */
  readonly environment: string;
}

/** Derives the addresses from `--url`: ws://h:p has its REST at http://h:p. Throws FabricError "usage". */
export function binanceEndpoint(url: string = DEFAULT_BINANCE_URL): BinanceEndpoint {
  const bare = url.replace(/\/+$/, "");
  if (bare === DEFAULT_BINANCE_URL) {
    return { streamUrl: `${bare}/stream`, restUrl: DEFAULT_REST, environment: "live" };
  }
  const parsed = URL.canParse(bare) ? new URL(bare) : null;
  if (parsed === null || !/^wss?:$/.test(parsed.protocol) || parsed.host === "" || parsed.search || parsed.hash) {
    throw new FabricError("usage", `Bad --url "${url}": expected a WebSocket address such as ${DEFAULT_BINANCE_URL}`);
  }
  const path = parsed.pathname.replace(/\/+$/, "").replace(/\/stream$/, "");
  const secure = parsed.protocol === "wss:" ? "s" : "";
  return {
    streamUrl: `ws${secure}://${parsed.host}${path}/stream`,
    restUrl: `http${secure}://${parsed.host}${path}`,
    environment: `endpoint:${parsed.host}`,
  };
}
