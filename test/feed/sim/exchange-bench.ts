import { platform } from "#platform";
import type { Clock, Log } from "../../../src/core/env.ts";
import type { SimExchange, SimExchangeDeps, SimExchangeOptions } from "../../../src/feed/sim/sim-exchange.ts";
import { openSimExchange } from "../../../src/feed/sim/sim-exchange.ts";
import { DEFAULT_START_MS } from "../../../src/feed/sim/truth.ts";
import { eventually } from "../../support/eventually.ts";

/** Both clocks stand still until stepped, so that a test says exactly how much of the market has passed. */
export class SteppedClock implements Clock {
  #ms = Date.UTC(2026, 0, 1);

  nowMs(): number {
    return this.#ms;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  step(ms: number): void {
    this.#ms += ms;
  }
}

export const warnings: string[] = [];
const log: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => warnings.push(message),
  error: (message) => warnings.push(message),
};

/** The real platform under the given clock. */
export function depsWith(clock: Clock): SimExchangeDeps {
  return { ...platform, clock, log };
}

export interface Bench {
  readonly exchange: SimExchange;
  readonly clock: SteppedClock;
  readonly url: string;
}

const running: { stop(): Promise<void> }[] = [];

export const MARKET = { kind: "market", seed: 1, symbols: ["BTCUSDT", "ETHUSDT"], startMs: DEFAULT_START_MS } as const;

/** An exchange of two symbols on a free port whose time a test steps, 60 exchange ms a ms unless told otherwise. */
export function openBench(options: Partial<SimExchangeOptions> = {}, clock = new SteppedClock()): Bench {
  const exchange = openSimExchange(
    { host: "127.0.0.1", port: 0, speed: 60, source: { ...MARKET, folder: null }, ...options },
    depsWith(clock),
  );
  running.push(exchange);
  return { exchange, clock, url: `127.0.0.1:${exchange.port}` };
}

/** Stops every exchange that `openBench` opened. */
export async function closeBenches(): Promise<void> {
  await Promise.all(running.splice(0).map((exchange) => exchange.stop()));
  warnings.length = 0;
}

export interface TradeData {
  readonly e: string;
  readonly E: number;
  readonly s: string;
  readonly t: number;
  readonly p: string;
  readonly q: string;
  readonly T: number;
  readonly m: boolean;
}

/** A client on a real WebSocket that keeps every message. */
export interface Client {
  readonly texts: readonly string[];
  readonly closed: Promise<string>;
  send(request: unknown): void;
  /** Sends a request and gives its answer. */
  ask(method: string, params?: unknown): Promise<Answer>;
  /** The data of every trade heard so far, wrapped or raw. */
  trades(): readonly TradeData[];
  close(): void;
}

export interface Answer {
  readonly id: number | string | null;
  readonly result?: readonly string[] | null;
  readonly code?: number;
  readonly msg?: string;
}

export async function connect(url: string, path: string): Promise<Client> {
  const texts: string[] = [];
  let opened = false;
  let nextId = 1;
  let ended = (_reason: string): void => undefined;
  const closed = new Promise<string>((resolve) => {
    ended = resolve;
  });
  const socket = platform.openSocket(`ws://${url}${path}`, {
    onOpen: () => {
      opened = true;
    },
    onMessage: (text) => texts.push(text),
    onClose: ended,
  });
  await Promise.race([eventually(() => opened, 5000, "the socket opens"), closed]);
  const client: Client = {
    texts,
    closed,
    send: (request) => socket.send(typeof request === "string" ? request : JSON.stringify(request)),
    async ask(method, params) {
      const id = nextId++;
      client.send(params === undefined ? { method, id } : { method, params, id });
      const found = await eventually(() => texts.find((text) => isAnswer(text, id)), 5000, `the answer to ${method}`);
      return JSON.parse(found) as Answer;
    },
    trades: () => texts.flatMap(tradeOf),
    close: () => socket.close(),
  };
  return client;
}

function isAnswer(text: string, id: number): boolean {
  return text.endsWith(`"id":${id}}`);
}

function tradeOf(text: string): readonly TradeData[] {
  const value = JSON.parse(text) as { data?: TradeData; e?: string };
  const data = value.data ?? (value as TradeData);
  return data.e === "trade" || data.e === "aggTrade" ? [data] : [];
}

export async function get(url: string, path: string) {
  const reply = await platform.httpGet(`http://${url}${path}`, 5000);
  return { status: reply.status, headers: reply.headers, body: JSON.parse(reply.body) as unknown };
}
