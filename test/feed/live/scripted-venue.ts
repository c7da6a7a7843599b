import type { OpenSocket, SocketHandlers } from "../../../src/core/env.ts";
import { Connection, type ConnectionSink } from "../../../src/feed/live/connection.ts";
import { newEar } from "../../../src/feed/live/symbol-ear.ts";
import { VenueClock } from "../../../src/feed/live/venue-clock.ts";
import type { Venue, VenueTrade } from "../../../src/feed/venues/contract.ts";
import { VirtualTime } from "../virtual-world.ts";

export const START = Date.UTC(2025, 0, 1);

type Json = Readonly<Record<string, unknown>>;

/** One socket of the scripted venue. */
export class ScriptedSocket {
  readonly handlers: SocketHandlers;
  readonly sent: { readonly at: number; readonly text: string }[] = [];
  readonly symbols = new Set<string>();
  closed = false;
  sequence = 0;

  constructor(handlers: SocketHandlers) {
    this.handlers = handlers;
  }

  tell(text: string): void {
    if (!this.closed) this.handlers.onMessage(text);
  }
}

/** A venue as its documents show it, on sockets and a clock that a test moves: what the simulated exchange never does is done here. */
export class ScriptedVenue {
  readonly venue: Venue;
  readonly time = new VirtualTime(0);
  readonly sockets: ScriptedSocket[] = [];
  readonly refused = new Set<string>();
  /** Says whom it refuses. */
  names = true;
  answers = true;
  /** Answers to probes and pings. */
  pongs = true;
  opens = true;

  constructor(venue: Venue) {
    this.venue = venue;
  }

  readonly openSocket: OpenSocket = (_url, handlers) => {
    const socket = new ScriptedSocket(handlers);
    this.sockets.push(socket);
    this.time.timers.after(10, () => {
      if (this.opens) handlers.onOpen();
      else handlers.onClose("refused");
    });
    return {
      send: (text) => {
        socket.sent.push({ at: this.time.now, text });
        this.time.timers.after(5, () => {
          for (const answer of this.#answer(text, socket)) socket.tell(answer);
        });
      },
      close: () => {
        socket.closed = true;
      },
    };
  };

  /** A trade of each symbol that the socket carries. */
  trade(socket: ScriptedSocket, id: number, timeMs: number): void {
    for (const symbol of socket.symbols) socket.tell(this.#tradeText(socket, symbol, id, timeMs));
  }

  heartbeat(socket: ScriptedSocket): void {
    if (this.venue.id === "kraken") socket.tell('{"channel":"heartbeat"}');
    else if (this.venue.id === "coinbase") socket.tell(this.#numbered(socket, "heartbeats", "[]"));
    else if (this.venue.id === "okx" || this.venue.id === "bybit") socket.tell(this.venue.id === "okx" ? "ping" : PONG);
    else socket.tell(`{"stream":"x@depth","data":{"e":"depthUpdate","E":${START}}}`);
  }

  #answer(text: string, socket: ScriptedSocket): readonly string[] {
    if (!this.answers) return [];
    const request: Json = text === "ping" ? { op: "ping" } : (JSON.parse(text) as Json);
    switch (this.venue.id) {
      case "binance-spot":
      case "binance-usdm": {
        if (request.method === "LIST_SUBSCRIPTIONS") {
          const list = [...socket.symbols].map((symbol) => `${symbol.toLowerCase()}@trade`);
          return this.pongs ? [JSON.stringify({ result: list, id: request.id })] : [];
        }
        const symbols = (request.params as string[]).map((name) => name.replace("@trade", "").toUpperCase());
        if (symbols.some((symbol) => this.refused.has(symbol)))
          return [JSON.stringify({ error: { code: 2, msg: "Invalid request" }, id: request.id })];
        this.#take(symbols, socket);
        return [JSON.stringify({ result: null, id: request.id })];
      }
      case "coinbase": {
        const symbols = (request.product_ids ?? []) as string[];
        if (symbols.length === 0 && !this.pongs && socket.symbols.size > 0) return [];
        const bad = symbols.find((symbol) => this.refused.has(symbol));
        if (bad !== undefined) {
          const reason = this.names ? `${bad} is not a valid product` : "too many";
          return [JSON.stringify({ type: "error", message: "Failed to subscribe", reason })];
        }
        this.#take(symbols, socket);
        const all = JSON.stringify([{ subscriptions: { market_trades: [...socket.symbols] } }]);
        return [this.#numbered(socket, "subscriptions", all)];
      }
      case "kraken": {
        if (request.method === "ping")
          return this.pongs ? [JSON.stringify({ method: "pong", req_id: request.req_id })] : [];
        const { symbol: symbols } = request.params as { readonly symbol: readonly string[] };
        return symbols.map((symbol) => {
          const isBad = this.refused.has(symbol);
          if (!isBad) this.#take([symbol], socket);
          const told = isBad
            ? { success: false, error: `Currency pair not supported ${symbol}`, symbol }
            : { success: true, result: { channel: "trade", symbol, snapshot: false } };
          return JSON.stringify({ method: "subscribe", req_id: request.req_id, ...told });
        });
      }
      case "bybit": {
        if (request.op === "ping")
          return this.pongs
            ? [
                JSON.stringify({
                  success: true,
                  ret_msg: "pong",
                  conn_id: "x",
                  req_id: request.req_id ?? "",
                  op: "ping",
                }),
              ]
            : [];
        const symbols = (request.args as string[]).map((topic) => topic.replace("publicTrade.", ""));
        const bad = symbols.find((symbol) => this.refused.has(symbol));
        const told = bad === undefined ? "" : this.names ? `handler not found,topic:publicTrade.${bad}` : "not now";
        if (bad === undefined) this.#take(symbols, socket);
        return [
          JSON.stringify({
            success: bad === undefined,
            ret_msg: told,
            conn_id: "x",
            req_id: request.req_id,
            op: "subscribe",
          }),
        ];
      }
      default: {
        if (request.op === "ping") return this.pongs ? ["pong"] : [];
        return (request.args as { readonly instId: string }[]).map(({ instId }) => {
          if (this.refused.has(instId)) {
            const msg = this.names ? `channel:trades-all,instId:${instId} doesn't exist` : "no";
            return JSON.stringify({ event: "error", code: "60018", msg, connId: "x" });
          }
          this.#take([instId], socket);
          return JSON.stringify({ event: "subscribe", arg: { channel: "trades-all", instId }, connId: "x" });
        });
      }
    }
  }

  #take(symbols: readonly string[], socket: ScriptedSocket): void {
    for (const symbol of symbols) socket.symbols.add(symbol);
  }

  #numbered(socket: ScriptedSocket, channel: string, events: string): string {
    const at = new Date(START + this.time.now).toISOString();
    return `{"channel":"${channel}","client_id":"","timestamp":"${at}","sequence_num":${socket.sequence++},"events":${events}}`;
  }

  #tradeText(socket: ScriptedSocket, symbol: string, id: number, timeMs: number): string {
    const iso = new Date(timeMs).toISOString();
    switch (this.venue.id) {
      case "coinbase": {
        const row = `{"product_id":"${symbol}","trade_id":"${id}","price":"1.5","size":"2","time":"${iso}","side":"BUY"}`;
        return this.#numbered(socket, "market_trades", `[{"type":"update","trades":[${row}]}]`);
      }
      case "kraken":
        return `{"channel":"trade","type":"update","data":[{"symbol":"${symbol}","side":"buy","price":1.5,"qty":2,"ord_type":"market","trade_id":${id},"timestamp":"${iso}"}]}`;
      case "bybit":
        return `{"topic":"publicTrade.${symbol}","type":"snapshot","ts":${timeMs},"data":[{"i":"9${id}","T":${timeMs},"p":"1.5","v":"2","S":"Buy","seq":1,"s":"${symbol}","BT":false,"RPI":false}]}`;
      case "okx":
        return `{"arg":{"channel":"trades-all","instId":"${symbol}"},"data":[{"instId":"${symbol}","tradeId":"${id}","px":"1.5","sz":"2","side":"buy","ts":"${timeMs}","source":"0"}]}`;
      default:
        return `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${timeMs},"s":"${symbol}","t":${id},"p":"1.5","q":"2","T":${timeMs},"m":true,"M":true}}`;
    }
  }
}

const PONG = '{"success":true,"ret_msg":"pong","conn_id":"x","req_id":"","op":"ping"}';

/** A connection to a scripted venue, and all it tells. */
export function connectTo(
  script: ScriptedVenue,
  symbols: readonly string[],
  newestTradeMs: (symbol: string) => number | null = () => null,
) {
  const ears = new Map(symbols.map((symbol) => [symbol, newEar(symbol)]));
  const told: string[] = [];
  const trades: VenueTrade[] = [];
  const retries: number[] = [];
  const refused: string[] = [];
  const sink: ConnectionSink = {
    onTrades: (frame, repeats) => {
      for (const trade of frame.trades) {
        if (repeats?.delete(trade.symbol)) continue;
        const ear = ears.get(trade.symbol);
        if (ear !== undefined)
          Object.assign(ear, { heardAt: script.time.now, heardMs: trade.timeMs, count: ear.count + 1 });
        trades.push(trade);
      }
      return true;
    },
    onFrame: (frame) => frame.type !== "malformed",
    onLost: (reason) => told.push(`lost: ${reason}`),
    onConnected: () => {
      told.push("connected");
      connection.heardSince(START + script.time.now);
    },
    onQuiet: () => undefined,
    onInterrupted: (reason) => told.push(`interrupted: ${reason}`),
    onRefused: (some) => refused.push(...some),
    onRetry: (_reason, delayMs) => retries.push(delayMs),
    onReplaced: () => told.push("replaced"),
  };
  const venueClock = new VenueClock(script.time.clock);
  const connection = new Connection(
    { venue: script.venue, url: "ws://x", symbols, staleAfterMs: 15_000, lateAllowanceMs: 500 },
    ears,
    {
      ...script.time,
      openSocket: script.openSocket,
      venueClock,
      askTime: async () => {
        const timeMs = START + script.time.now;
        venueClock.told(timeMs, script.time.now, 1);
        return { timeMs, precisionMs: 0 };
      },
      newestTradeMs: async (symbol) => newestTradeMs(symbol),
    },
    sink,
  );
  // The feed has asked who the venue is before.
  venueClock.told(START + script.time.now, script.time.now, 1);
  connection.start();
  return { connection, told, trades, retries, refused };
}
