import type { KlineRow } from "../exact-candle.ts";
import type { RestAnswer, SessionWire, SimProtocol, SimSession, SimTrade, SimView } from "./contract.ts";
import { fieldsOf, jsonOf, shortDecimal, tradesOf, wholeOf } from "./contract.ts";

const IDLE_MS = 30_000;
const IDLE_CODE = 4004;
const NOTICE_MS = 30_000;
const MAX_REQUEST_CHARS = 65_536;
const REQUESTS_AN_HOUR = 480;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** OKX's business WebSocket and public REST: okx.com/docs-v5. */
export const OKX_SIM: SimProtocol = {
  id: "okx",
  gatherMs: 0,
  // Beside its bound by the hour, which the session keeps, pings are bounded by nothing.
  messageRate: { most: 100, withinMs: 1000 },
  holes: [],
  restRate: { most: 20, withinMs: 2000 },
  stream: (url) => (/^\/ws\/v5\/business\/?$/.test(url.pathname) ? [] : null),
  session: (wire, view) => new OkxSession(wire, view),
  rest: okxRest,
  tooMany: () => ({ status: 429, body: { code: "50011", msg: "Too Many Requests", data: [] } }),
  down: {
    status: 503,
    body: { code: "50001", msg: "Service temporarily unavailable. Please try again later", data: [] },
  },
};

class OkxSession implements SimSession {
  readonly symbols = new Set<string>();
  readonly #wire: SessionWire;
  readonly #view: SimView;
  readonly #requestsMs: number[] = [];
  #movedMs: number;

  constructor(wire: SessionWire, view: SimView) {
    this.#wire = wire;
    this.#view = view;
    this.#movedMs = wire.wallMs();
  }

  open(): void {}

  message(text: string): void {
    this.#movedMs = this.#wire.wallMs();
    if (text === "ping") {
      this.#send("pong");
      return;
    }
    if (text.length > MAX_REQUEST_CHARS) {
      this.#error("60013", "Invalid args: the length of the channels exceeds 64 KB");
      return;
    }
    const value = fieldsOf(jsonOf(text));
    const op = value?.op;
    if (
      !value ||
      (op !== "subscribe" && op !== "unsubscribe") ||
      !Array.isArray(value.args) ||
      value.args.length === 0
    ) {
      this.#error("60012", `Invalid request: ${text.slice(0, 200)}`);
      return;
    }
    if (!this.#within()) {
      this.#error("60014", "Requests too frequent");
      return;
    }
    for (const item of value.args as unknown[]) this.#one(op, item);
  }

  frames(trades: readonly SimTrade[]): readonly string[] {
    this.#movedMs = this.#wire.wallMs();
    return trades.map(push);
  }

  beat(): void {
    if (this.#wire.wallMs() - this.#movedMs >= IDLE_MS) this.#wire.close(IDLE_CODE, "No data received in 30s.");
  }

  announceClose(): number {
    const msg = "The connection will soon be closed for a service upgrade. Please reconnect.";
    this.#send(JSON.stringify({ event: "notice", code: "64008", msg, connId: CONNECTION }));
    return NOTICE_MS;
  }

  #one(op: string, item: unknown): void {
    const arg = fieldsOf(item);
    const [channel, instId] = [arg?.channel, arg?.instId];
    if (channel !== "trades-all" || typeof instId !== "string" || !this.#view.tape.symbols.has(instId)) {
      const what = `Wrong URL or channel:${String(channel)},instId:${String(instId)} doesn't exist`;
      this.#error("60018", `${what}. Please use the correct URL, channel and parameters referring to API document.`);
      return;
    }
    if (op === "subscribe") this.symbols.add(instId);
    else this.symbols.delete(instId);
    this.#send(JSON.stringify({ event: op, arg: { channel, instId }, connId: CONNECTION }));
    if (op === "unsubscribe") return;
    // The last trade comes once more, and nothing says so.
    const last = tradesOf(this.#view, instId, null, 1, this.#wire.nowMs()).at(-1);
    if (last) this.#send(push(last));
  }

  #within(): boolean {
    const nowMs = this.#wire.wallMs();
    while (this.#requestsMs.length > 0 && (this.#requestsMs[0] ?? 0) <= nowMs - HOUR_MS) this.#requestsMs.shift();
    return this.#requestsMs.push(nowMs) <= REQUESTS_AN_HOUR;
  }

  #error(code: string, msg: string): void {
    this.#send(JSON.stringify({ event: "error", code, msg, connId: CONNECTION }));
  }

  #send(text: string): void {
    this.#movedMs = this.#wire.wallMs();
    this.#wire.send(text);
  }
}

const CONNECTION = "a4d3ae55";

function push({ symbol, id, timeMs, price, quantity, sold }: SimTrade): string {
  return (
    `{"arg":{"channel":"trades-all","instId":"${symbol}"},"data":[{"instId":"${symbol}","tradeId":"${id}","px":"${price}",` +
    `"sz":"${quantity}","side":"${sold ? "sell" : "buy"}","ts":"${timeMs}","source":"0"}]}`
  );
}

function okxRest(url: URL, _headers: Headers, view: SimView, nowMs: number): RestAnswer | null {
  const query = url.searchParams;
  switch (url.pathname) {
    case "/api/v5/public/time":
      return data([{ ts: `${nowMs + view.skewMs}` }]);
    case "/api/v5/public/instruments":
      return data([...view.tape.symbols.keys()].map((instId) => ({ instType: "SPOT", instId, state: "live" })));
    case "/api/v5/market/candles":
      return withInstrument(view, query, (symbol) => candles(symbol, query, view, nowMs, true));
    case "/api/v5/market/history-candles":
      return withInstrument(view, query, (symbol) => candles(symbol, query, view, nowMs, false));
    case "/api/v5/market/trades":
      return withInstrument(view, query, (symbol) => {
        const limit = Math.min(500, wholeOf(query, "limit", 100) ?? 100);
        return data(tradesOf(view, symbol, null, limit, nowMs).toReversed().map(restRow));
      });
    case "/api/v5/market/history-trades":
      return withInstrument(view, query, (symbol) => history(symbol, query, view, nowMs));
    default:
      return null;
  }
}

/** Newest first, `after` (exclusive) the newer bound and `before` (exclusive) the older one. */
function candles(symbol: string, query: URLSearchParams, view: SimView, nowMs: number, running: boolean): RestAnswer {
  if ((query.get("bar") ?? "1m") !== "1m") return refusal("51000", "Parameter bar error");
  const limit = Math.min(running ? 300 : 100, wholeOf(query, "limit", 100) ?? 100);
  const newest = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS - (running ? 0 : MINUTE_MS);
  const end = Math.min(newest, (wholeOf(query, "after", newest + 1) ?? newest + 1) - 1);
  // The newer list reaches back a day.
  const oldest = running ? newest - 1439 * MINUTE_MS : 0;
  const start = Math.max(oldest, (wholeOf(query, "before", -1) ?? -1) + 1);
  if (end < start) return data([]);
  const rows = view.tape.klines(symbol, { startTime: null, endTime: end, limit }, nowMs);
  return data(
    rows
      .filter(([openTime]) => openTime >= start)
      .toReversed()
      .map((row) => candleRow(row, nowMs)),
  );
}

function candleRow([openTime, open, high, low, close, volume, , quote]: KlineRow, nowMs: number): readonly string[] {
  const [o = "", h = "", l = "", c = "", v = "", q = ""] = [open, high, low, close, volume, quote].map(shortDecimal);
  return [`${openTime}`, o, h, l, c, v, q, q, openTime + MINUTE_MS <= nowMs ? "1" : "0"];
}

/** By trade id (`type` 1, which stands where none is given): `after` gives older ones, `before` newer ones; newest first. */
function history(symbol: string, query: URLSearchParams, view: SimView, nowMs: number): RestAnswer {
  if ((query.get("type") ?? "1") !== "1") return refusal("51000", "Parameter type error");
  const limit = Math.min(100, wholeOf(query, "limit", 100) ?? 100);
  const after = wholeOf(query, "after", Number.POSITIVE_INFINITY);
  const before = wholeOf(query, "before", -1);
  if (after === null || before === null) return refusal("51000", "Parameter after error");
  const upTo = Number.isFinite(after)
    ? tradesOf(view, symbol, Math.max(0, after - limit), limit, nowMs).filter(({ id }) => id < after)
    : tradesOf(view, symbol, null, limit, nowMs);
  return data(
    upTo
      .filter(({ id }) => id > before)
      .toReversed()
      .map(restRow),
  );
}

function restRow({ symbol, id, timeMs, price, quantity, sold }: SimTrade): unknown {
  return {
    instId: symbol,
    side: sold ? "sell" : "buy",
    sz: quantity,
    source: "0",
    px: price,
    tradeId: `${id}`,
    ts: `${timeMs}`,
  };
}

function withInstrument(view: SimView, query: URLSearchParams, answer: (symbol: string) => RestAnswer): RestAnswer {
  const symbol = query.get("instId") ?? "";
  if (view.tape.symbols.has(symbol)) return answer(symbol);
  return symbol === ""
    ? refusal("50014", "Parameter instId can not be empty.")
    : refusal("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.");
}

function data(rows: readonly unknown[]): RestAnswer {
  return { status: 200, body: { code: "0", msg: "", data: rows } };
}

function refusal(code: string, msg: string): RestAnswer {
  return { status: code.startsWith("500") ? 400 : 200, body: { code, msg, data: [] } };
}
