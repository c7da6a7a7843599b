import type { HttpReply } from "../../core/env.ts";

/**
 * What a request led to.
 *   ok       200, and a JSON body
 *   refused  the venue's own word that it did not do it: 4xx with a code
 *   limited  429 or 418, or a code that says the same: not done, and not to be asked again for so long
 *   unsent   certainly never sent: we keep to a limit, have no clock, or came too late
 *   unclear  it may have been done or not: time-out, lost connection, 5xx, an answer that cannot be read
 */
export type Reply =
  | { readonly type: "ok"; readonly body: unknown }
  | { readonly type: "refused"; readonly code: number; readonly message: string }
  | { readonly type: "limited"; readonly banned: boolean; readonly message: string; readonly retryAfterMs: number }
  | { readonly type: "unsent"; readonly reason: string; readonly retryAfterMs: number }
  | { readonly type: "unclear"; readonly reason: string };

/** Codes of Binance's "Errors" that the broker tells apart. */
export const CODES = {
  tooManyRequests: -1003,
  tooManyOrders: -1015,
  timestamp: -1021,
  badSymbol: -1121,
  filter: -1013,
  newOrderRejected: -2010,
  cancelRejected: -2011,
  noSuchOrder: -2013,
  archived: -2026,
} as const;

/**
 * Codes that leave open what happened, whatever the HTTP status: -1000 an unknown error, -1001 internal, -1006 an unexpected
 * response ("Execution status unknown"), -1007 a time-out inside the venue ("Send status unknown"; it may come with 408), -1008
 * overloaded (orders were reported to be there all the same: banbox/banbot#114, hummingbot/hummingbot#6033), -1016 shutting down.
 */
const UNCLEAR_CODES: ReadonlySet<number> = new Set([-1000, -1001, -1006, -1007, -1008, -1016]);

const DEFAULT_RETRY_MS = 10_000;
/** Bans last from 2 minutes to 3 days ("IP Limits"). */
const LONGEST_RETRY_MS = 259_200_000;
const MAX_MESSAGE = 200;

/**
 * Reads an answer by Binance's documents "HTTP Return Codes" and "Errors". 5xx is always unclear ("the execution status is
 * UNKNOWN and could have been a success"): the wordings of 503 for which Binance's futures documents promise a failure carry no
 * such promise for spot. A 4xx without a readable code comes from something in front of the venue and is unclear too.
 */
export function readReply({ status, headers, body }: HttpReply): Reply {
  const value = parsed(body);
  if (status === 429 || status === 418) return limited(status, headers, value);
  if (status >= 200 && status < 300) {
    return value === undefined ? unclear(status, "its answer is not JSON") : { type: "ok", body: value };
  }
  const { code, message } = errorOf(value);
  if (code === null || status < 400 || status >= 500) return unclear(status, message);
  if (code === CODES.tooManyRequests || code === CODES.tooManyOrders) return limited(status, headers, value);
  if (UNCLEAR_CODES.has(code)) return unclear(status, `${message} (${code})`);
  return { type: "refused", code, message };
}

/** A refusal as a person reads it. */
export function refusalText({ code, message }: { readonly code: number; readonly message: string }): string {
  return `${message} (${code})`;
}

function limited(status: number, headers: HttpReply["headers"], value: unknown): Reply {
  const seconds = Number(headerOf(headers, "retry-after") ?? Number.NaN);
  const retryAfterMs = seconds >= 0 ? Math.min(LONGEST_RETRY_MS, seconds * 1000) : DEFAULT_RETRY_MS;
  const { message } = errorOf(value);
  return { type: "limited", banned: status === 418, message: `${status}: ${message}`, retryAfterMs };
}

function unclear(status: number, message: string): Reply {
  return { type: "unclear", reason: `it answered ${status}: ${message}` };
}

function errorOf(value: unknown): { readonly code: number | null; readonly message: string } {
  const { code, msg } = (typeof value === "object" && value !== null ? value : {}) as { code?: unknown; msg?: unknown };
  const message = typeof msg === "string" ? msg.slice(0, MAX_MESSAGE) : "no message";
  return { code: typeof code === "number" && Number.isSafeInteger(code) ? code : null, message };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

export function headerOf(headers: HttpReply["headers"], name: string): string | undefined {
  return headers[name] ?? Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
}
