import { createHmac } from "node:crypto";
import { missingParameter, RestError } from "../rest-error.ts";

/** The keys of the simulated account. They open nothing real, so they may be known to everybody. */
export interface AccountKeys {
  readonly apiKey: string;
  readonly secret: string;
}

/** What `fabric sim` accepts unless it is given a key file: a simulation's own, good for nothing else. */
export const SIM_KEYS: AccountKeys = {
  apiKey: "fabric-simulated-account-key",
  secret: "fabric-simulated-account-secret",
};

const DEFAULT_RECV_WINDOW_MS = 5000;
const MAX_RECV_WINDOW_MS = 60_000;
const AHEAD_ALLOWED_MS = 1000;

/** Parameters of a request, of query and body together; the query's count where both have one. */
export function parametersOf(query: string, body: string): URLSearchParams {
  const parameters = new URLSearchParams(query);
  for (const [name, value] of new URLSearchParams(body)) if (!parameters.has(name)) parameters.append(name, value);
  return parameters;
}

/**
 * What is signed: the query without separator before the body, each without its `signature` ("SIGNED Endpoint security" of
 * Binance's REST API).
 */
export function signedPayload(query: string, body: string): string {
  return withoutSignature(query) + withoutSignature(body);
}

/** Throws the RestError Binance answers: 401 for the key (-2014, -2015), 400 for the signature (-1102, -1022). */
export function checkSignature(
  keys: AccountKeys,
  apiKey: string | null,
  signature: string | null,
  payload: string,
): void {
  if (apiKey === null || !isApiKey(apiKey)) throw new RestError(401, -2014, "API-key format invalid.");
  if (!signature) throw missingParameter("signature");
  if (apiKey !== keys.apiKey) throw new RestError(401, -2015, "Invalid API-key, IP, or permissions for action.");
  const expected = createHmac("sha256", keys.secret).update(payload).digest("hex");
  if (signature.toLowerCase() !== expected) throw new RestError(400, -1022, "Signature for this request is not valid.");
}

/** "Timing security": a timestamp under a second ahead of the server's clock and at most recvWindow behind it; else -1021. */
export function checkTiming(parameters: URLSearchParams, serverMs: number): void {
  const timestamp = wholeOf(parameters.get("timestamp"));
  if (timestamp === null) throw missingParameter("timestamp");
  const text = parameters.get("recvWindow");
  const recvWindow =
    text === null ? DEFAULT_RECV_WINDOW_MS : /^\d{1,6}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(recvWindow <= MAX_RECV_WINDOW_MS))
    throw new RestError(400, -1131, `recvWindow must be less than ${MAX_RECV_WINDOW_MS}`);
  if (timestamp >= serverMs + AHEAD_ALLOWED_MS)
    throw new RestError(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.");
  if (serverMs - timestamp > recvWindow)
    throw new RestError(400, -1021, "Timestamp for this request is outside of the recvWindow.");
}

/** Whether a text looks like an API key: 8 to 128 letters, digits, dashes or underscores. */
export function isApiKey(text: string): boolean {
  return /^[\w-]{8,128}$/.test(text);
}

function wholeOf(text: string | null): number | null {
  return text !== null && /^\d{1,16}$/.test(text) ? Number(text) : null;
}

function withoutSignature(text: string): string {
  return text
    .split("&")
    .filter((part) => !part.startsWith("signature="))
    .join("&");
}
