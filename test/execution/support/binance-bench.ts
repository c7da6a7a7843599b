import { platform } from "#platform";
import type { Clock, HttpRequest, HttpSend, Log } from "../../../src/core/env.ts";
import type { BinanceBroker, BinanceBrokerOptions } from "../../../src/execution/binance/binance-broker.ts";
import { openBinanceBroker } from "../../../src/execution/binance/binance-broker.ts";
import { venueEndpoint } from "../../../src/execution/binance/endpoint.ts";
import type { BrokerOrder, BrokerReport } from "../../../src/execution/broker.ts";
import type { SimAccountOptions, SimExchange, SimExchangeOptions } from "../../../src/feed/sim/sim-exchange.ts";
import { openSimExchange } from "../../../src/feed/sim/sim-exchange.ts";
import { DEFAULT_START_MS } from "../../../src/feed/sim/truth.ts";
import { parseVenueFaults } from "../../../src/feed/sim/venue/faults.ts";

/** What `fabric sim` documents. */
export const KEYS = { apiKey: "fabric-simulated-account-key", secret: "fabric-simulated-account-secret" };
export const SYMBOLS = ["BTCUSDT", "ETHUSDT", "BNBUSDT"];

export interface VenueBench {
  readonly exchange: SimExchange;
  readonly broker: BinanceBroker;
  readonly reports: readonly BrokerReport[];
  /** Every request the broker sent, before its answer. */
  readonly sent: readonly HttpRequest[];
  /** Everything it logged. */
  readonly logged: readonly string[];
  /** Orders that reached the venue, by its own count. */
  orders(): number;
  /** A second broker on the same account, as another process would be. */
  another(options?: Partial<BinanceBrokerOptions>): BinanceBroker;
}

interface BenchOptions {
  readonly faults?: string;
  readonly account?: SimAccountOptions;
  readonly exchange?: Partial<SimExchangeOptions>;
  readonly broker?: Partial<BinanceBrokerOptions>;
  readonly clock?: Clock;
  readonly httpSend?: HttpSend;
  readonly follow?: boolean;
}

const open: { close(): Promise<void> }[] = [];

/** A real simulated venue on a free port and a broker that speaks to it over real HTTP and WebSockets. */
export function openVenueBench(options: BenchOptions = {}): VenueBench {
  const logged: string[] = [];
  const say = (message: string, fields?: unknown) => void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const faults = options.faults === undefined ? {} : { faults: parseVenueFaults(options.faults) };
  const exchange = openSimExchange(
    {
      host: "127.0.0.1",
      port: 0,
      speed: 1,
      source: { kind: "market", seed: 1, symbols: SYMBOLS, startMs: DEFAULT_START_MS, folder: null },
      account: { ...faults, ...options.account },
      ...options.exchange,
    },
    { ...platform, log },
  );
  const sent: HttpRequest[] = [];
  const httpSend: HttpSend = (request, timeoutMs) => {
    sent.push(request);
    return (options.httpSend ?? platform.httpSend)(request, timeoutMs);
  };
  const another = (more: Partial<BinanceBrokerOptions> = {}): BinanceBroker => {
    const broker = openBinanceBroker(
      { endpoint: venueEndpoint(`http://127.0.0.1:${exchange.port}`), keys: KEYS, ...options.broker, ...more },
      { ...platform, clock: options.clock ?? platform.clock, httpSend, log },
    );
    open.push(broker);
    return broker;
  };
  const broker = another();
  open.push({ close: () => exchange.stop() });
  const reports: BrokerReport[] = [];
  if (options.follow !== false) broker.follow((report) => reports.push(report));
  const orders = () => exchange.counters()["venue.orders.total"] ?? 0;
  return { exchange, broker, reports, sent, logged, orders, another };
}

/** Closes everything that was opened, brokers first. */
export async function closeVenueBenches(): Promise<void> {
  for (const each of open.splice(0)) await each.close();
}

let counter = 0;

/** An order of its own id; 0.01 BTC to buy unless told otherwise. */
export function anOrder(more: Partial<BrokerOrder> = {}): BrokerOrder {
  counter++;
  const clientOrderId = `f${counter.toString(16).padStart(31, "0")}`;
  return { clientOrderId, symbol: "BTCUSDT", side: "buy", quantity: "0.01", ...more };
}

export const isPost = ({ method }: HttpRequest): boolean => method === "POST";
