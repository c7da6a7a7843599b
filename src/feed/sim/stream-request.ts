/** Streams one connection may hear, as at Binance. */
export const MAX_STREAMS = 1024;
/** Largest request, in characters. */
export const MAX_REQUEST_CHARS = 65_536;

const MAX_STREAM_NAME_CHARS = 100;
const METHODS = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS"] as const;

export type RequestId = number | string | null;

/** What a client asks for on its WebSocket, or the answer to what it should not have sent. */
export type StreamRequest =
  | { readonly method: "SUBSCRIBE" | "UNSUBSCRIBE"; readonly streams: readonly string[]; readonly id: RequestId }
  | { readonly method: "LIST_SUBSCRIPTIONS"; readonly id: RequestId }
  | { readonly method: "invalid"; readonly code: number; readonly reason: string; readonly id: RequestId };

/** Reads one request; codes and wording follow Binance's "Live Subscribing/Unsubscribing to streams". */
export function readStreamRequest(text: string): StreamRequest {
  if (text.length > MAX_REQUEST_CHARS) return invalid(2, `at most ${MAX_REQUEST_CHARS} characters`, null);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { method: "invalid", code: 3, reason: "Invalid JSON: expected value at line 1 column 1", id: null };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return invalid(2, "expected an object with method, params and id", null);
  const request = value as Readonly<Record<string, unknown>>;
  if (!isRequestId(request.id)) return invalid(2, "request ID must be an unsigned integer", null);
  const { id, params } = request;
  const method = METHODS.find((known) => known === request.method);
  if (!method) return invalid(2, `unknown variant ${shown(request.method)}, expected one of ${METHODS.join(", ")}`, id);
  if (method === "LIST_SUBSCRIPTIONS") return { method, id };
  if (!Array.isArray(params)) return invalid(2, "params must be a list of stream names", id);
  if (params.length === 0 || params.length > MAX_STREAMS)
    return invalid(2, `params must name 1 to ${MAX_STREAMS} streams, found ${params.length}`, id);
  if (!params.every(isStreamName)) return invalid(2, "a stream name must be text such as btcusdt@trade", id);
  return { method, streams: params, id };
}

/** The streams a connection's URL names: null where it is no stream URL or a name or their number is out of bounds. */
export function readStreamUrl(url: string): { readonly combined: boolean; readonly streams: readonly string[] } | null {
  const { pathname, searchParams } = new URL(url);
  const combined = pathname === "/stream" || pathname === "/stream/";
  if (!combined && pathname !== "/ws" && !pathname.startsWith("/ws/")) return null;
  const named = combined ? (searchParams.get("streams") ?? "") : pathname.slice("/ws/".length).replaceAll("%40", "@");
  const streams = named.split("/").filter((name) => name !== "");
  return streams.length <= MAX_STREAMS && streams.every(isStreamName) ? { combined, streams } : null;
}

function invalid(code: number, problem: string, id: RequestId): StreamRequest {
  return { method: "invalid", code, reason: `Invalid request: ${problem}`, id };
}

function isRequestId(id: unknown): id is RequestId {
  if (typeof id === "string") return /^[\w-]{1,36}$/.test(id);
  return id === null || (Number.isSafeInteger(id) && Number(id) >= 0);
}

function isStreamName(name: unknown): name is string {
  return typeof name === "string" && name !== "" && name.length <= MAX_STREAM_NAME_CHARS;
}

function shown(method: unknown): string {
  return typeof method === "string" ? method.slice(0, MAX_STREAM_NAME_CHARS) : typeof method;
}
