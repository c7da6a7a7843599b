import { FabricError } from "../../core/errors.ts";

/** Where to try without money. */
const BINANCE_TESTNET_URL = "https://testnet.binance.vision";

export interface VenueEndpoint {
  /** REST base without a trailing slash. */
  readonly restUrl: string;
  /** The WebSocket API, which carries the user data stream. */
  readonly socketUrl: string;
  /** Host and port, as a person would name the venue. */
  readonly host: string;
  /** test: the spot test network, or an address of this machine (a simulated exchange). Everything else is taken for real money. */
  readonly kind: "live" | "test";
}

const TESTNET = "testnet.binance.vision";
const LIVE_SOCKET_HOST = "ws-api.binance.com:443";
/** The document's host names; their WebSocket API lives under a name of its own. */
const SOCKET_HOSTS: Readonly<Record<string, string>> = {
  "api.binance.com": LIVE_SOCKET_HOST,
  "api-gcp.binance.com": LIVE_SOCKET_HOST,
  "api1.binance.com": LIVE_SOCKET_HOST,
  "api2.binance.com": LIVE_SOCKET_HOST,
  "api3.binance.com": LIVE_SOCKET_HOST,
  "api4.binance.com": LIVE_SOCKET_HOST,
  [TESTNET]: `ws-api.${TESTNET}`,
};

/**
 * A venue's addresses from the one a person gives: https://api.binance.com, https://testnet.binance.vision, or
 * http://127.0.0.1:29000 (ws:// and wss:// are taken as well; without TLS on this machine alone). Of Binance's hosts only those
 * of the document are taken, user names and passwords nowhere. Any other host has its WebSocket API at /ws-api/v3 of the same
 * address. Source: "General API Information" of Binance's REST and WebSocket API, "Testnet General Info". Throws "usage".
 */
export function venueEndpoint(url: string): VenueEndpoint {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const secure = parsed !== null && (parsed.protocol === "https:" || parsed.protocol === "wss:");
  const plain = parsed !== null && (parsed.protocol === "http:" || parsed.protocol === "ws:");
  const bare = parsed !== null && parsed.pathname === "/" && parsed.search === "" && parsed.hash === "";
  const named = parsed !== null && (parsed.username !== "" || parsed.password !== "");
  if (parsed === null || !(secure || plain) || !bare || named || parsed.host === "") {
    throw new FabricError(
      "usage",
      `Bad venue address "${withoutCredentials(url)}": expected http(s)://host[:port] such as ${BINANCE_TESTNET_URL}`,
    );
  }
  const kind = isTest(parsed.hostname) ? "test" : "live";
  if (!secure && !isLoopback(parsed.hostname))
    throw new FabricError(
      "usage",
      `Bad venue address "${url}": expected https://, since orders and keys' signatures would be readable on the way`,
    );
  if (/(?:^|\.)binance\.com\.?$/.test(parsed.hostname) && SOCKET_HOSTS[parsed.host] === undefined)
    throw new FabricError(
      "usage",
      `Bad venue address "${url}": expected one of ${Object.keys(SOCKET_HOSTS).join(", ")}, found ${parsed.host}`,
    );
  const letter = secure ? "s" : "";
  return {
    restUrl: `http${letter}://${parsed.host}`,
    socketUrl: `ws${letter}://${SOCKET_HOSTS[parsed.host] ?? parsed.host}/ws-api/v3`,
    host: parsed.host,
    kind,
  };
}

/** What a person has said about trading. */
export interface TradingConsent {
  /** --live. */
  readonly live: boolean;
  /** The host that the configuration names as the one real orders may go to; null where it names none. */
  readonly liveHost: string | null;
}

/**
 * Refuses what nobody asked for in full: a venue of any kind without --live, and a live one unless the configuration names
 * exactly that host as well. Throws FabricError "refused" (exit 77) with what is missing.
 */
export function refuseUnwantedVenue({ host, kind }: VenueEndpoint, { live, liveHost }: TradingConsent): void {
  if (!live)
    throw new FabricError(
      "refused",
      `Cannot send orders to ${host}: a venue's broker needs --live, and it was not given; leave --broker out for paper trading`,
    );
  if (kind === "test" || liveHost === host) return;
  throw new FabricError(
    "refused",
    `Cannot send orders to ${host}: real money needs the configuration to name that host besides --live, and it names ` +
      `${liveHost ?? "none"}; use ${BINANCE_TESTNET_URL} to try, or set the live host on purpose`,
  );
}

function isTest(hostname: string): boolean {
  return hostname === TESTNET || hostname.endsWith(`.${TESTNET}`) || isLoopback(hostname);
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    hostname === "[::1]" ||
    /^127(?:\.\d{1,3}){3}$/.test(hostname)
  );
}

function withoutCredentials(url: string): string {
  // Up to the last @, whatever a password holds.
  return url.replace(/^([a-z]+:\/\/)?.*@/is, "$1").slice(0, 200);
}
