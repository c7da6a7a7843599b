import { createHmac } from "node:crypto";
import { platform } from "#platform";
import type { SimExchange } from "../../../src/feed/sim/sim-exchange.ts";
import { eventually } from "../../support/eventually.ts";
import type { Bench } from "./exchange-bench.ts";

/** What `fabric sim` documents: fixed, a simulation's. */
export const KEY = "fabric-simulated-account-key";
export const SECRET = "fabric-simulated-account-secret";

type Parameters = Readonly<Record<string, string | number>>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // The venue's own JSON, as it comes.
  readonly body: Record<string, unknown> & { readonly code?: number; readonly msg?: string };
}

/** A signed request as Binance's document shows it, with the bench's exchange time for its timestamp unless given. */
export async function signed(
  { url, exchange }: { readonly url: string; readonly exchange: Pick<SimExchange, "exchangeTimeMs"> },
  method: "GET" | "POST",
  name: string,
  parameters: Parameters = {},
  how: { readonly key?: string; readonly secret?: string; readonly inBody?: boolean; readonly timeoutMs?: number } = {},
): Promise<Answer> {
  const all = { timestamp: exchange.exchangeTimeMs(), ...parameters };
  const payload = new URLSearchParams(Object.entries(all).map(([key, value]) => [key, String(value)])).toString();
  const signature = createHmac("sha256", how.secret ?? SECRET)
    .update(payload)
    .digest("hex");
  const text = `${payload}&signature=${signature}`;
  const path = `http://${url}/api/v3/${name}`;
  const reply = await platform.httpSend(
    {
      method,
      url: how.inBody ? path : `${path}?${text}`,
      headers: { "x-mbx-apikey": how.key ?? KEY },
      body: how.inBody ? text : null,
    },
    how.timeoutMs ?? 5000,
  );
  return { status: reply.status, headers: reply.headers, body: JSON.parse(reply.body) as Answer["body"] };
}

export function buy(bench: Bench, clientOrderId: string, more: Parameters = {}): Promise<Answer> {
  const order = { symbol: "BTCUSDT", side: "BUY", type: "MARKET", quantity: "0.01", newClientOrderId: clientOrderId };
  return signed(bench, "POST", "order", { ...order, ...more }, { inBody: true });
}

export type Event = Readonly<Record<string, unknown>>;

export interface UserStream {
  /** Every event of the subscription so far. */
  readonly events: readonly Event[];
  readonly closed: Promise<string>;
  ask(method: string, params?: unknown): Promise<Event>;
  close(): void;
}

/** A connection to the WebSocket API; subscribed to the account's events unless told otherwise. */
export async function userStream(bench: Bench, subscribe = true): Promise<UserStream> {
  const answers = new Map<number, Event>();
  const events: Event[] = [];
  let opened = false;
  let nextId = 1;
  const { promise: closed, resolve: onClose } = Promise.withResolvers<string>();
  const socket = platform.openSocket(`ws://${bench.url}/ws-api/v3`, {
    onOpen: () => {
      opened = true;
    },
    onMessage: (text) => {
      const message = JSON.parse(text) as { id?: number; event?: Event };
      if (message.event) events.push(message.event);
      else if (message.id !== undefined) answers.set(message.id, message as Event);
    },
    onClose,
  });
  await Promise.race([eventually(() => opened, 5000, "the socket opens"), closed]);
  const ask = async (method: string, params?: unknown): Promise<Event> => {
    const id = nextId++;
    socket.send(JSON.stringify({ id, method, params }));
    return eventually(() => answers.get(id), 5000, `the answer to ${method}`);
  };
  if (subscribe) await ask("userDataStream.subscribe.signature", subscription(bench.exchange.exchangeTimeMs()));
  return { events, closed, ask, close: () => socket.close() };
}

/** Parameters sorted by name, signed as the WebSocket API's document shows it. */
export function subscription(timestamp: number, secret = SECRET): Parameters {
  const payload = `apiKey=${KEY}&timestamp=${timestamp}`;
  return { apiKey: KEY, timestamp, signature: createHmac("sha256", secret).update(payload).digest("hex") };
}
