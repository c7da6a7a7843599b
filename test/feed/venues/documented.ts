import type { VenueId, VenueTrade } from "../../../src/feed/venues/contract.ts";

/** What a venue's documents (or public recordings) show, written anew with figures of our own. */
export interface Documented {
  readonly pair: { readonly base: string; readonly quote: string };
  readonly symbol: string;
  /** Frames of live trades and what they must be read as; the first one is in the order of fields that is scanned. */
  readonly trades: readonly {
    readonly text: string;
    readonly stream: string;
    readonly read: readonly VenueTrade[];
    readonly sequence?: number;
  }[];
  /** A frame whose row has no quantity. */
  readonly zero: string;
  readonly ack: string;
  readonly rejected: string;
  readonly heartbeats: readonly string[];
  /** Answers to the probe of request 1, which lists `symbol` where it lists any. */
  readonly answers: readonly string[];
  readonly closing: string | null;
  readonly others: readonly string[];
  /** Three minutes from MINUTE on, of which the last still runs at MINUTE + 150 s. */
  readonly klines: string;
  /** What the venue's first kline must be read as. */
  readonly kline: { readonly volume: number; readonly quoteVolume: number | null; readonly trades: number | null };
  /** The venue's clock at AT. */
  readonly time: string;
  /** An answer of trades, the last of them without quantity, and what it must be read as. */
  readonly restTrades: { readonly body: string; readonly read: readonly VenueTrade[] };
  /** Refusals for asking too much. */
  readonly tooMuch: readonly RestAnswer[];
  readonly unknownSymbol: RestAnswer;
}

interface RestAnswer {
  readonly status: number;
  readonly body: string;
}

export const MINUTE = 1_735_689_600_000;
export const AT = MINUTE + 61_123;
const ISO = "2025-01-01T00:01:01.123987Z";

const trade = (symbol: string, id: number | null, more: Partial<VenueTrade> = {}): VenueTrade => ({
  symbol,
  id,
  price: "100.50",
  quantity: "0.25000000",
  timeMs: AT,
  buyerIsMaker: false,
  ...more,
});

const spot = `{"stream":"btcusdt@trade","data":{"e":"trade","E":${AT + 1},"s":"BTCUSDT","t":71,"p":"100.50","q":"0.25000000","T":${AT},"m":false,"M":true}}`;
const usdm = `{"stream":"btcusdt@trade","data":{"e":"trade","E":${AT + 1},"T":${AT},"s":"BTCUSDT","t":71,"p":"100.50","q":"0.25000000","X":"MARKET","m":false}}`;
const aggregate = (order: string) =>
  `{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":${AT + 1},${order},"p":"100.50","q":"0.25000000","f":71,"l":73,"T":${AT},"m":false`;
const binanceKlines = JSON.stringify(
  [0, 1, 2].map((at) => {
    const open = MINUTE + at * 60_000;
    return [open, "100", "102", "99", "101", "2.5", open + 59_999, "252.5", 7, "1.5", "150", "0"];
  }),
);

const binanceRow = (id: number, qty: string, isBuyerMaker = false) => ({
  ...{ id, price: "100.50", qty, quoteQty: "25.125", time: AT, isBuyerMaker, isBestMatch: true },
});

const binance = {
  time: JSON.stringify({ serverTime: AT }),
  restTrades: {
    body: JSON.stringify([binanceRow(71, "0.25000000"), binanceRow(72, "0.25000000", true), binanceRow(73, "0.0")]),
    read: [trade("BTCUSDT", 71), trade("BTCUSDT", 72, { buyerIsMaker: true })],
  },
  tooMuch: [
    { status: 429, body: '{"code":-1003,"msg":"Too much request weight used"}' },
    { status: 418, body: '{"code":-1003,"msg":"Way too much request weight used; IP banned until 1735689700000"}' },
    { status: 403, body: "<html>" },
  ],
  unknownSymbol: { status: 400, body: '{"code":-1121,"msg":"Invalid symbol."}' },
  pair: { base: "BTC", quote: "USDT" },
  symbol: "BTCUSDT",
  ack: '{"result":null,"id":1}',
  rejected: '{"error":{"code":2,"msg":"Invalid request: unknown stream"},"id":1}',
  heartbeats: [],
  answers: ['{"result":["btcusdt@trade"],"id":1}'],
  others: [
    `{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"1","A":"1"}}`,
    `{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":${AT},"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}}`,
  ],
  klines: binanceKlines,
  kline: { volume: 2.5, quoteVolume: 252.5, trades: 7 },
};

const match = (more: string, type = "match") =>
  `{"type":"${type}","trade_id":71,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8","taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1",` +
  `"side":"sell","size":"${more}","price":"100.50","product_id":"BTC-USD","sequence":50,"time":"${ISO}"}`;
const marketTrades = (rows: string, type = "update") =>
  `{"channel":"market_trades","client_id":"","timestamp":"2025-01-01T00:01:01.3001Z","sequence_num":3,"events":[{"type":"${type}","trades":[${rows}]}]}`;
const marketRow = (id: number, side: string) =>
  `{"product_id":"BTC-USD","trade_id":"${id}","price":"100.50","size":"0.25000000","time":"${ISO}","side":"${side}"}`;

const v2 = (qty: string, type = "update") =>
  `{"channel":"trade","type":"${type}","data":[{"symbol":"BTC/USD","side":"buy","price":100.50,"qty":${qty},"ord_type":"market","trade_id":71,"timestamp":"${ISO}"}]}`;

const bybit = (row: string, head = `"type":"snapshot","ts":${AT + 1}`) =>
  `{"topic":"publicTrade.BTCUSDT",${head},"data":[${row}]}`;
const bybitLinear = (qty: string, side = "Buy", block = "false") =>
  `{"T":${AT},"s":"BTCUSDT","S":"${side}","v":"${qty}","p":"100.50","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":${block},"RPI":false,"seq":9}`;
const bybitSpot = `{"i":"2290000000061664327","T":${AT},"p":"100.50","v":"0.25000000","S":"Sell","seq":111,"s":"BTCUSDT","BT":false,"RPI":false}`;

const okx = (channel: string, size: string, more = "") =>
  `{"arg":{"channel":"${channel}","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"71","px":"100.50","sz":"${size}","side":"buy","ts":"${AT}"${more}}]}`;

export const DOCUMENTED: Readonly<Record<VenueId, Documented>> = {
  "binance-spot": {
    ...binance,
    trades: [
      { text: spot, stream: "trade", read: [trade("BTCUSDT", 71)] },
      {
        text: `${aggregate('"s":"BTCUSDT","a":5')},"M":true}}`,
        stream: "aggTrade",
        read: [trade("BTCUSDT", 71, { lastId: 73 })],
      },
    ],
    zero: spot.replace("0.25000000", "0.00000000"),
    closing: `{"e":"serverShutdown","E":${AT}}`,
  },
  "binance-usdm": {
    ...binance,
    trades: [
      { text: usdm, stream: "trade", read: [trade("BTCUSDT", 71)] },
      {
        text: `${aggregate('"a":5,"s":"BTCUSDT"')}}}`,
        stream: "aggTrade",
        read: [trade("BTCUSDT", 71, { lastId: 73 })],
      },
    ],
    zero: usdm.replace("0.25000000", "0"),
    closing: null,
  },
  coinbase: {
    pair: { base: "BTC", quote: "USD" },
    symbol: "BTC-USD",
    trades: [
      { text: match("0.25000000"), stream: "match", read: [trade("BTC-USD", 71)] },
      {
        text: marketTrades(`${marketRow(72, "BUY")},${marketRow(71, "SELL")}`),
        stream: "market_trades",
        read: [trade("BTC-USD", 71), trade("BTC-USD", 72, { buyerIsMaker: true })],
        sequence: 3,
      },
    ],
    zero: match("0.00"),
    ack: `{"channel":"subscriptions","client_id":"","timestamp":"${ISO}","sequence_num":1,"events":[{"subscriptions":{"market_trades":["BTC-USD"]}}]}`,
    rejected: '{"type":"error","message":"Failed to subscribe","reason":"BTC-USD is not a valid product"}',
    heartbeats: [
      `{"channel":"heartbeats","client_id":"","timestamp":"${ISO}","sequence_num":2,"events":[{"current_time":"2025-01-01 00:01:01","heartbeat_counter":1}]}`,
      `{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"${ISO}"}`,
    ],
    answers: [
      `{"channel":"subscriptions","client_id":"","timestamp":"${ISO}","sequence_num":5,"events":[{"subscriptions":{"heartbeats":["heartbeats"],"market_trades":["BTC-USD"]}}]}`,
    ],
    closing: null,
    others: [
      match("0.25", "open"),
      `{"channel":"l2_data","client_id":"","timestamp":"${ISO}","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[]}]}`,
    ],
    time: '{"iso":"2025-01-01T00:01:01.123Z","epoch":1735689661.123}',
    restTrades: {
      body: JSON.stringify(
        [73, 72, 71].map((id) => ({
          ...{ trade_id: id, side: id === 72 ? "buy" : "sell", size: id === 73 ? "0.0" : "0.25000000" },
          ...{ price: "100.50", time: ISO },
        })),
      ),
      read: [trade("BTC-USD", 71), trade("BTC-USD", 72, { buyerIsMaker: true })],
    },
    tooMuch: [{ status: 429, body: '{"message":"Public rate limit exceeded"}' }],
    unknownSymbol: { status: 404, body: '{"message":"NotFound"}' },
    klines: JSON.stringify([2, 1, 0].map((at) => [MINUTE / 1000 + at * 60, 99, 102, 100, 101, 2.5])),
    kline: { volume: 2.5, quoteVolume: null, trades: null },
  },
  kraken: {
    pair: { base: "BTC", quote: "USD" },
    symbol: "BTC/USD",
    trades: [
      { text: v2("0.25000000"), stream: "v2", read: [trade("BTC/USD", 71)] },
      {
        text: `[337,[["100.50","0.25000000","${(AT / 1000).toFixed(3)}456","b","m",""]],"trade","XBT/USD"]`,
        stream: "v1",
        read: [trade("BTC/USD", null)],
      },
    ],
    zero: v2("0.00000000"),
    ack: `{"method":"subscribe","req_id":1,"result":{"channel":"trade","snapshot":false,"symbol":"BTC/USD"},"success":true,"time_in":"${ISO}","time_out":"${ISO}"}`,
    rejected: `{"error":"Currency pair not supported BTC/USD","method":"subscribe","req_id":1,"success":false,"symbol":"BTC/USD","time_in":"${ISO}","time_out":"${ISO}"}`,
    heartbeats: ['{"channel":"heartbeat"}', '{"event":"heartbeat"}'],
    answers: [`{"method":"pong","req_id":1,"time_in":"${ISO}","time_out":"${ISO}"}`, '{"event":"pong","reqid":1}'],
    closing: null,
    others: [
      '{"channel":"status","type":"update","data":[{"system":"online","version":"2.0.0"}]}',
      '[0,{"as":[],"bs":[]},"book-100","XBT/USD"]',
    ],
    time: '{"error":[],"result":{"unixtime":1735689661,"rfc1123":"Wed,  1 Jan 25 00:01:01 +0000"}}',
    restTrades: {
      // Ten digits behind the point: as a double this time would be of the next ms.
      body: `{"error":[],"result":{"XXBTZUSD":[["100.50","0.25000000",1735689661.1239999999,"b","m","",71],["100.50","0.25000000",1735689661.123,"s","l","",72],["100.50","0.00000000",1735689661.5,"s","l","",73]],"last":"1735689661500000000"}}`,
      read: [trade("BTC/USD", 71), trade("BTC/USD", 72, { buyerIsMaker: true })],
    },
    tooMuch: [
      { status: 200, body: '{"error":["EAPI:Rate limit exceeded"]}' },
      { status: 200, body: '{"error":["EGeneral:Too many requests"]}' },
      { status: 429, body: "" },
    ],
    unknownSymbol: { status: 200, body: '{"error":["EQuery:Unknown asset pair"]}' },
    klines: JSON.stringify({
      error: [],
      result: {
        XXBTZUSD: [0, 1, 2].map((at) => [MINUTE / 1000 + at * 60, "100", "102", "99", "101", "101", "2.5", 7]),
        last: MINUTE / 1000 + 60,
      },
    }),
    kline: { volume: 2.5, quoteVolume: 252.5, trades: 7 },
  },
  bybit: {
    pair: { base: "BTC", quote: "USDT" },
    symbol: "BTCUSDT",
    trades: [
      {
        text: bybit(`${bybitLinear("0.25000000")},${bybitLinear("0.25000000", "Sell")}`),
        stream: "publicTrade",
        read: [trade("BTCUSDT", null), trade("BTCUSDT", null, { buyerIsMaker: true })],
      },
      {
        text: bybit(bybitSpot, `"ts":${AT + 1},"type":"snapshot"`),
        stream: "publicTrade",
        read: [trade("BTCUSDT", null, { buyerIsMaker: true })],
      },
    ],
    zero: bybit(bybitLinear("0")),
    ack: '{"success":true,"ret_msg":"subscribe","conn_id":"d5phu6rboasumi7uds7g","req_id":"1","op":"subscribe"}',
    rejected:
      '{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.BTCUSDT","conn_id":"da7","req_id":"1","op":"subscribe"}',
    heartbeats: [],
    answers: [
      '{"success":true,"ret_msg":"pong","conn_id":"d5p","req_id":"","op":"ping"}',
      '{"success":true,"ret_msg":"pong","conn_id":"d5p","req_id":"1","op":"ping"}',
      '{"req_id":"1","op":"pong","args":["1735689661123"],"conn_id":"d5p"}',
    ],
    closing: null,
    others: [
      `{"topic":"orderbook.1.BTCUSDT","type":"delta","ts":${AT},"data":{"s":"BTCUSDT","b":[],"a":[],"u":1,"seq":2}}`,
    ],
    time: `{"retCode":0,"retMsg":"OK","result":{"timeSecond":"1735689661","timeNano":"${AT}213947"},"retExtInfo":{},"time":${AT}}`,
    restTrades: {
      body: JSON.stringify({
        retCode: 0,
        retMsg: "OK",
        result: {
          category: "spot",
          list: ["0", "9", "0.25000000", "0.25000000"].map((size, at) => ({
            ...{ execId: `${at}`, symbol: "BTCUSDT", price: "100.50", size, side: at === 2 ? "Sell" : "Buy" },
            ...{ time: `${AT}`, isBlockTrade: size === "9", seq: "1" },
          })),
        },
      }),
      read: [trade("BTCUSDT", null), trade("BTCUSDT", null, { buyerIsMaker: true })],
    },
    tooMuch: [
      { status: 403, body: "access too frequent" },
      { status: 200, body: '{"retCode":10006,"retMsg":"Too many visits!"}' },
      { status: 429, body: "" },
    ],
    unknownSymbol: { status: 200, body: '{"retCode":10001,"retMsg":"Not supported symbols","result":{}}' },
    klines: JSON.stringify({
      retCode: 0,
      retMsg: "OK",
      result: {
        category: "spot",
        symbol: "BTCUSDT",
        list: [2, 1, 0].map((at) => [`${MINUTE + at * 60_000}`, "100", "102", "99", "101", "2.5", "252.5"]),
      },
    }),
    kline: { volume: 2.5, quoteVolume: 252.5, trades: null },
  },
  okx: {
    pair: { base: "BTC", quote: "USDT" },
    symbol: "BTC-USDT",
    trades: [
      { text: okx("trades-all", "0.25000000", ',"source":"0"'), stream: "trades-all", read: [trade("BTC-USDT", 71)] },
      {
        text: okx("trades", "0.25000000", ',"count":"3","source":"0","seqId":12'),
        stream: "trades",
        read: [trade("BTC-USDT", 69, { lastId: 71 })],
      },
    ],
    zero: okx("trades", "0"),
    ack: '{"event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"},"connId":"a4d3ae55"}',
    rejected:
      '{"event":"error","code":"60018","msg":"Wrong URL or channel:trades-all,instId:BTC-USDT doesn\'t exist. Please use the correct URL","connId":"a4d3ae55"}',
    heartbeats: [],
    answers: ["pong"],
    closing:
      '{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.","connId":"a4d3ae55"}',
    others: [
      `{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","last":"1","ts":"${AT}"}]}`,
    ],
    time: `{"code":"0","msg":"","data":[{"ts":"${AT}"}]}`,
    restTrades: {
      body: JSON.stringify({
        code: "0",
        msg: "",
        data: [73, 72, 71].map((id) => ({
          ...{ instId: "BTC-USDT", side: id === 72 ? "sell" : "buy", sz: id === 73 ? "0" : "0.25000000" },
          ...{ px: "100.50", tradeId: `${id}`, ts: `${AT}` },
        })),
      }),
      read: [trade("BTC-USDT", 71), trade("BTC-USDT", 72, { buyerIsMaker: true })],
    },
    tooMuch: [
      { status: 429, body: '{"code":"50011","msg":"Rate limit reached."}' },
      { status: 200, body: '{"code":"50011","msg":"Rate limit reached."}' },
    ],
    unknownSymbol: {
      status: 200,
      body: '{"code":"51001","msg":"Instrument ID or Spread ID doesn\'t exist.","data":[]}',
    },
    klines: JSON.stringify({
      code: "0",
      msg: "",
      data: [2, 1, 0].map((at) => [
        ...[`${MINUTE + at * 60_000}`, "100", "102", "99", "101", "2.5", "252.5", "252.5"],
        at === 2 ? "0" : "1",
      ]),
    }),
    kline: { volume: 2.5, quoteVolume: 252.5, trades: null },
  },
};
