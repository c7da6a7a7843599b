import { hashWords } from "../chance.ts";
import type { KlineRow } from "../exact-candle.ts";
import type { RestAnswer, SessionWire, SimProtocol, SimSession, SimTrade, SimView } from "./contract.ts";
import { type Fields, fieldsOf, jsonOf, shortDecimal, textsOf, tradesOf, wholeOf } from "./contract.ts";

const IDLE_MS = 600_000;
const NORMAL_CLOSE = 1000;
const TOPICS_A_REQUEST = 10;
const REQUEST_CHARS = 21_000;
const TRADES_A_MESSAGE = 1024;
const TOPIC = "publicTrade.";
/** A block trade is told beside so many trades; no candle holds it. */
const BLOCK_EVERY = 509;

/** Bybit's v5 public spot WebSocket and REST: bybit-exchange.github.io/docs/v5. */
export const BYBIT_SIM: SimProtocol = {
  id: "bybit",
  gatherMs: 1,
  // No document names a figure.
  messageRate: { most: 100, withinMs: 1000 },
  holes: [],
  restRate: { most: 600, withinMs: 5000 },
  stream: (url) => (/^\/v5\/public\/spot\/?$/.test(url.pathname) ? [] : null),
  session: (wire, view) => new BybitSession(wire, view),
  rest: bybitRest,
  tooMany: (seconds) => ({
    status: 403,
    body: { retCode: 10_006, retMsg: "access too frequent", result: {}, retExtInfo: {} },
    headers: { "retry-after": `${seconds}` },
  }),
  down: { status: 502, body: "<html><body>502 Bad Gateway</body></html>" },
};

class BybitSession implements SimSession {
  readonly symbols = new Set<string>();
  readonly #wire: SessionWire;
  readonly #view: SimView;
  #movedMs: number;

  constructor(wire: SessionWire, view: SimView) {
    this.#wire = wire;
    this.#view = view;
    this.#movedMs = wire.wallMs();
  }

  open(): void {}

  message(text: string): void {
    this.#movedMs = this.#wire.wallMs();
    const value = fieldsOf(jsonOf(text));
    const op = value?.op;
    if (!value || typeof op !== "string") {
      this.#answer({}, false, "Invalid request", "");
      return;
    }
    if (op === "ping") {
      this.#answer(value, true, "pong", op);
      return;
    }
    const topics = textsOf(value.args);
    if ((op !== "subscribe" && op !== "unsubscribe") || !topics || topics.length === 0) {
      this.#answer(value, false, "Param error", op);
      return;
    }
    if (topics.length > TOPICS_A_REQUEST) {
      this.#answer(value, false, `args size >${TOPICS_A_REQUEST}`, op);
      return;
    }
    if (topics.join("").length > REQUEST_CHARS) {
      this.#answer(value, false, `args length >${REQUEST_CHARS}`, op);
      return;
    }
    // One topic that is refused takes the whole request with it.
    const unknown = topics.filter((topic) => !this.#knows(topic));
    if (unknown.length > 0) {
      this.#answer(value, false, `Invalid symbol :[${unknown.join(",")}]`, op);
      return;
    }
    const symbols = topics.map((topic) => topic.slice(TOPIC.length));
    const again = op === "subscribe" ? symbols.find((symbol) => this.symbols.has(symbol)) : undefined;
    if (again !== undefined) {
      this.#answer(value, false, `error:already subscribed,topic:${TOPIC}${again}`, op);
      return;
    }
    for (const symbol of symbols) {
      if (op === "subscribe") this.symbols.add(symbol);
      else this.symbols.delete(symbol);
    }
    this.#answer(value, true, op === "subscribe" ? "subscribe" : "", op);
  }

  frames(trades: readonly SimTrade[]): readonly string[] {
    this.#movedMs = this.#wire.wallMs();
    const frames: string[] = [];
    for (let from = 0; from < trades.length; from += TRADES_A_MESSAGE)
      frames.push(message(trades.slice(from, from + TRADES_A_MESSAGE), this.#view.skewMs));
    return frames;
  }

  beat(): void {
    if (this.#wire.wallMs() - this.#movedMs >= IDLE_MS) this.#wire.close(NORMAL_CLOSE, "idle");
  }

  announceClose(): number {
    return 0;
  }

  #knows(topic: string): boolean {
    return topic.startsWith(TOPIC) && this.#view.tape.symbols.has(topic.slice(TOPIC.length));
  }

  #answer(request: Fields, success: boolean, message: string, op: string): void {
    const id = request.req_id;
    const req_id = typeof id === "string" ? id : "";
    this.#wire.send(JSON.stringify({ success, ret_msg: message, conn_id: "d5phu6rboasumi7uds7g", req_id, op }));
  }
}

function message(trades: readonly SimTrade[], skewMs: number): string {
  const last = trades.at(-1);
  const rows = trades.flatMap((trade) =>
    trade.id % BLOCK_EVERY === 0 ? [row(trade, false), row(trade, true)] : [row(trade, false)],
  );
  return `{"topic":"${TOPIC}${last?.symbol}","type":"snapshot","ts":${(last?.timeMs ?? 0) + skewMs},"data":[${rows.join(",")}]}`;
}

/** `seq` counts the order book's changes: it repeats within a message and jumps. */
function row({ symbol, id, timeMs, price, quantity, sold }: SimTrade, block: boolean): string {
  return (
    `{"T":${timeMs},"s":"${symbol}","S":"${sold ? "Sell" : "Buy"}","v":"${quantity}","p":"${price}","L":"${id % 2 === 0 ? "PlusTick" : "ZeroMinusTick"}",` +
    `"i":"${execId(id, block)}","BT":${block},"RPI":false,"seq":${timeMs % 10_000_000_000}}`
  );
}

/** A UUID, which counts nothing. */
function execId(id: number, block: boolean): string {
  const [low, high] = [id >>> 0, Math.floor(id / 2 ** 32)];
  const words = [1, 2, 3, 4].map((at) =>
    hashWords(low, high, at, block ? 1 : 0)
      .toString(16)
      .padStart(8, "0"),
  );
  return words.join("").replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-5$3-a$4-$5");
}

function bybitRest(url: URL, _headers: Headers, view: SimView, nowMs: number): RestAnswer | null {
  const query = url.searchParams;
  const toldMs = nowMs + view.skewMs;
  const name = /^\/v5\/market\/([a-z-]+)$/.exec(url.pathname)?.[1];
  switch (name) {
    case "time":
      return result({ timeSecond: `${Math.floor(toldMs / 1000)}`, timeNano: `${toldMs}423213` }, toldMs);
    case "instruments-info": {
      const list = [...view.tape.symbols.keys()].map((symbol) => ({ symbol, status: "Trading" }));
      return result({ category: "spot", list }, toldMs);
    }
    case "kline":
      return withSymbol(view, query, toldMs, (symbol) => klines(symbol, query, view, nowMs));
    case "recent-trade":
      return withSymbol(view, query, toldMs, (symbol) => {
        const limit = Math.min(60, wholeOf(query, "limit", 60) ?? 60);
        const list = tradesOf(view, symbol, null, limit, nowMs).toReversed().map(restRow);
        return result({ category: "spot", list }, toldMs);
      });
    default:
      return null;
  }
}

/** Newest first, the running minute among them. */
function klines(symbol: string, query: URLSearchParams, view: SimView, nowMs: number): RestAnswer {
  const toldMs = nowMs + view.skewMs;
  if (query.get("interval") !== "1") return refusal(10_001, "Invalid period!", toldMs);
  const [start, end, limit] = [wholeOf(query, "start", -1), wholeOf(query, "end", nowMs), wholeOf(query, "limit", 200)];
  if (start === null || end === null || limit === null) return refusal(10_001, "params error", toldMs);
  const newest = Math.min(limit, 1000);
  // One more than is told: the row before tells where each opens.
  const rows = view.tape.klines(symbol, { startTime: null, endTime: end, limit: newest + 1 }, nowMs);
  const told = rows.map((row, at) => klineRow(row, rows[at - 1]?.[4])).slice(-newest);
  const list = told.filter(([openTime]) => Number(openTime) >= start).toReversed();
  return result({ category: "spot", symbol, list }, toldMs);
}

/** A minute opens at the close of the one before it. */
function klineRow(row: KlineRow, previousClose: string | undefined): readonly string[] {
  const [openTime, firstPrice, high, low, close, volume, , quote] = row;
  const open = previousClose ?? firstPrice;
  const highest = Number(open) > Number(high) ? open : high;
  const lowest = Number(open) < Number(low) ? open : low;
  return [`${openTime}`, ...[open, highest, lowest, close, volume, quote].map(shortDecimal)];
}

function restRow({ symbol, id, timeMs, price, quantity, sold }: SimTrade): unknown {
  return {
    execId: execId(id, false),
    symbol,
    price,
    size: quantity,
    side: sold ? "Sell" : "Buy",
    time: `${timeMs}`,
    isBlockTrade: false,
    isRPITrade: false,
  };
}

function withSymbol(
  view: SimView,
  query: URLSearchParams,
  toldMs: number,
  answer: (symbol: string) => RestAnswer,
): RestAnswer {
  const symbol = query.get("symbol") ?? "";
  if (query.get("category") !== "spot") return refusal(10_001, "Category is invalid", toldMs);
  return view.tape.symbols.has(symbol) ? answer(symbol) : refusal(10_001, "Not supported symbols", toldMs);
}

function result(value: Fields, toldMs: number): RestAnswer {
  return { status: 200, body: { retCode: 0, retMsg: "OK", result: value, retExtInfo: {}, time: toldMs } };
}

function refusal(retCode: number, retMsg: string, toldMs: number): RestAnswer {
  return { status: 200, body: { retCode, retMsg, result: {}, retExtInfo: {}, time: toldMs } };
}
