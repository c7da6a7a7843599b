import type { KlineRow } from "../exact-candle.ts";
import type { RestAnswer, SessionWire, SimProtocol, SimSession, SimTrade, SimView } from "./contract.ts";
import { fieldsOf, isoMicros, jsonOf, textsOf, tradesOf, wholeOf } from "./contract.ts";

const MINUTE_MS = 60_000;
const FIRST_MESSAGE_MS = 5000;
const HEARTBEAT_MS = 1000;
const QUIET_CLOSE_MS = 90_000;
const NORMAL_CLOSE = 1000;
const POLICY_VIOLATION = 1008;
const SNAPSHOT_TRADES = 100;
const CANDLES_A_PAGE = 300;
const MAX_REQUEST_CHARS = 65_536;
const CHANNELS = ["market_trades", "heartbeats"];

/** Coinbase's Advanced Trade WebSocket and the Exchange REST: docs.cdp.coinbase.com. */
export const COINBASE_SIM: SimProtocol = {
  id: "coinbase",
  gatherMs: 250,
  messageRate: { most: 8, withinMs: 1000 },
  holes: [],
  restRate: { most: 15, withinMs: 1000 },
  stream: (url) => (url.pathname === "/" ? [] : null),
  session: (wire, view) => new CoinbaseSession(wire, view),
  rest: coinbaseRest,
  tooMany: (seconds) => ({
    status: 429,
    body: { message: "Public rate limit exceeded" },
    headers: { "retry-after": `${seconds}` },
  }),
  down: { status: 503, body: { message: "ServiceUnavailable" } },
};

class CoinbaseSession implements SimSession {
  readonly symbols = new Set<string>();
  readonly #wire: SessionWire;
  readonly #view: SimView;
  readonly #openedMs: number;
  #asked = false;
  #beating = false;
  #beats = 0;
  #beatMs = 0;
  #sentMs: number;
  /** Counts every message of the connection. */
  #sequence = 0;

  constructor(wire: SessionWire, view: SimView) {
    this.#wire = wire;
    this.#view = view;
    this.#openedMs = wire.wallMs();
    this.#sentMs = wire.wallMs();
  }

  open(): void {}

  message(text: string): void {
    if (text.length > MAX_REQUEST_CHARS) {
      this.#wire.close(POLICY_VIOLATION, "Message too big");
      return;
    }
    const value = fieldsOf(jsonOf(text));
    const type = value?.type;
    if (!value || (type !== "subscribe" && type !== "unsubscribe")) {
      this.#error("Malformed JSON", null);
      return;
    }
    this.#asked = true;
    const channel = CHANNELS.find((known) => known === value.channel);
    if (!channel) {
      this.#error("Failed to subscribe", `${String(value.channel)} is not a valid channel`);
      return;
    }
    const products = textsOf(value.product_ids ?? []) ?? [];
    const unknown = products.find((product) => !this.#view.tape.symbols.has(product));
    if (unknown !== undefined) {
      this.#error("Failed to subscribe", `${unknown} is not a valid product`);
      return;
    }
    if (channel === "heartbeats") this.#beating = type === "subscribe";
    else if (type === "subscribe") this.#subscribe(products);
    else for (const product of products.length === 0 ? [...this.symbols] : products) this.symbols.delete(product);
    this.#tellSubscriptions();
  }

  /** One message for all of them, the newest first. */
  frames(trades: readonly SimTrade[]): readonly string[] {
    return [this.#envelope("market_trades", `{"type":"update","trades":[${trades.toReversed().map(row).join(",")}]}`)];
  }

  beat(): void {
    const wallMs = this.#wire.wallMs();
    if (!this.#asked && wallMs - this.#openedMs >= FIRST_MESSAGE_MS) {
      this.#wire.close(POLICY_VIOLATION, "no subscribe within 5 seconds");
      return;
    }
    if (this.#asked && wallMs - this.#sentMs >= QUIET_CLOSE_MS) {
      this.#wire.close(NORMAL_CLOSE, "no updates");
      return;
    }
    if (!this.#beating || wallMs - this.#beatMs < HEARTBEAT_MS) return;
    this.#beatMs = wallMs;
    const time = isoMicros(this.#wire.nowMs() + this.#view.skewMs, 3)
      .replace("T", " ")
      .replace("Z", "000 +0000 UTC");
    this.#send("heartbeats", `{"current_time":"${time} m=+91717.525857105","heartbeat_counter":${this.#beats++}}`);
  }

  announceClose(): number {
    return 0;
  }

  /** The trades before come first, as a snapshot, and then the answer. */
  #subscribe(products: readonly string[]): void {
    for (const product of products) {
      if (this.symbols.has(product)) continue;
      this.symbols.add(product);
      const newest = tradesOf(this.#view, product, null, SNAPSHOT_TRADES, this.#wire.nowMs());
      if (newest.length > 0)
        this.#send("market_trades", `{"type":"snapshot","trades":[${newest.toReversed().map(row).join(",")}]}`);
    }
  }

  #tellSubscriptions(): void {
    const subscriptions = {
      ...(this.symbols.size > 0 ? { market_trades: [...this.symbols] } : {}),
      ...(this.#beating ? { heartbeats: ["heartbeats"] } : {}),
    };
    this.#send("subscriptions", JSON.stringify({ subscriptions }));
  }

  #error(message: string, reason: string | null): void {
    this.#wire.send(JSON.stringify({ type: "error", message, ...(reason === null ? {} : { reason }) }));
  }

  #send(channel: string, event: string): void {
    this.#wire.send(this.#envelope(channel, event));
  }

  #envelope(channel: string, event: string): string {
    this.#sentMs = this.#wire.wallMs();
    const timestamp = isoMicros(this.#wire.nowMs() + this.#view.skewMs, 5);
    return `{"channel":"${channel}","client_id":"","timestamp":"${timestamp}","sequence_num":${this.#sequence++},"events":[${event}]}`;
  }
}

/** `side` is the maker's. */
function row({ symbol, id, timeMs, price, quantity, sold }: SimTrade): string {
  return `{"product_id":"${symbol}","trade_id":"${id}","price":"${price}","size":"${quantity}","time":"${isoMicros(timeMs, id)}","side":"${sold ? "BUY" : "SELL"}"}`;
}

function coinbaseRest(url: URL, _headers: Headers, view: SimView, nowMs: number): RestAnswer | null {
  const toldMs = nowMs + view.skewMs;
  if (url.pathname === "/time")
    return { status: 200, body: { iso: new Date(toldMs).toISOString(), epoch: toldMs / 1000 } };
  if (url.pathname === "/products")
    return { status: 200, body: [...view.tape.symbols.keys()].map((id) => ({ id, status: "online" })) };
  const [, product = "", name] = /^\/products\/([^/]+)\/(candles|trades)$/.exec(url.pathname) ?? [];
  if (name === undefined) return null;
  const symbol = decodeURIComponent(product);
  if (!view.tape.symbols.has(symbol)) return refusal(404, "NotFound");
  return name === "candles"
    ? candles(symbol, url.searchParams, view, nowMs)
    : trades(symbol, url.searchParams, view, nowMs);
}

/** Newest first; minutes without a trade are absent, and the running one is there. */
function candles(symbol: string, query: URLSearchParams, view: SimView, nowMs: number): RestAnswer {
  if (query.get("granularity") !== "60") return refusal(400, "Unsupported granularity");
  const end = secondsOf(query.get("end")) ?? nowMs;
  const start = secondsOf(query.get("start")) ?? end - (CANDLES_A_PAGE - 1) * MINUTE_MS;
  const wanted = Math.floor((end - start) / MINUTE_MS) + 1;
  if (wanted > CANDLES_A_PAGE)
    return refusal(
      400,
      `granularity too small for the requested time range. Count of aggregations requested exceeds ${CANDLES_A_PAGE}`,
    );
  const rows = view.tape.klines(symbol, { startTime: start, endTime: end, limit: CANDLES_A_PAGE }, nowMs);
  const told = rows.filter((row) => row[8] > 0).toReversed();
  return { status: 200, body: told.map(candleRow) };
}

/** Time, low, high, open, close, volume, as JSON numbers. */
function candleRow([openTime, open, high, low, close, volume]: KlineRow): readonly number[] {
  return [openTime / 1000, ...[low, high, open, close, volume].map(Number)];
}

/** Newest first, those before the id `after` where it is given. */
function trades(symbol: string, query: URLSearchParams, view: SimView, nowMs: number): RestAnswer {
  const limit = Math.min(1000, wholeOf(query, "limit", 1000) ?? 1000);
  const after = wholeOf(query, "after", Number.POSITIVE_INFINITY);
  const before = wholeOf(query, "before", -1);
  if (after === null || before === null || limit < 1) return refusal(400, "Invalid pagination parameter");
  const found = Number.isFinite(after)
    ? tradesOf(view, symbol, Math.max(0, after - limit), limit, nowMs).filter(({ id }) => id < after)
    : tradesOf(view, symbol, null, limit, nowMs);
  const rows = found.filter(({ id }) => id > before).toReversed();
  const headers = { "cb-before": `${rows[0]?.id ?? ""}`, "cb-after": `${rows.at(-1)?.id ?? ""}` };
  return { status: 200, body: rows.map(restRow), headers };
}

function restRow({ id, timeMs, price, quantity, sold }: SimTrade): unknown {
  return { trade_id: id, side: sold ? "buy" : "sell", size: quantity, price, time: isoMicros(timeMs, id) };
}

/** A Unix time or an RFC 3339 one, in ms. */
function secondsOf(text: string | null): number | null {
  if (text === null) return null;
  const ms = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
}

function refusal(status: number, message: string): RestAnswer {
  return { status, body: { message } };
}
