import type { ServerSocket, ServerSocketHandlers } from "../../../core/env.ts";
import { RestError } from "../rest-error.ts";
import { type AccountKeys, checkSignature, checkTiming } from "./signed-request.ts";

/** WebSocket API connections at once, and bytes that may wait for one of them before it is cut. */
const MAX_CLIENTS = 100;
const MAX_CLIENT_BYTES = 4 * 1024 * 1024;
const MAX_REQUEST_CHARS = 65_536;
const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;

export interface UserStreamDeps {
  readonly keys: AccountKeys;
  /** The exchange's time, ms. */
  readonly nowMs: () => number;
  /** Counts request weight; throws RestError beyond the limit. */
  readonly take: (weight: number) => void;
}

type Json = Readonly<Record<string, unknown>>;

interface Client {
  readonly socket: ServerSocket;
  /** Null until it has subscribed. */
  subscriptionId: number | null;
  subscriptions: number;
}

/**
 * The WebSocket API at /ws-api/v3 as far as the user data stream needs it: ping, time, userDataStream.subscribe.signature,
 * userDataStream.unsubscribe and session.subscriptions. Events come as `{subscriptionId, event}`.
 */
export class UserStreamHub {
  readonly #deps: UserStreamDeps;
  readonly #clients = new Set<Client>();
  #events = 0;
  #cuts = 0;
  #slow = 0;

  constructor(deps: UserStreamDeps) {
    this.#deps = deps;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      "venue.streams": [...this.#clients].filter(({ subscriptionId }) => subscriptionId !== null).length,
      "venue.events.total": this.#events,
      "venue.streams.cut.total": this.#cuts,
      "venue.streams.slow.total": this.#slow,
    };
  }

  /** Handlers for a connection to the WebSocket API; null for any other address, or while there are too many. */
  accept(url: string): ServerSocketHandlers | null {
    if (!/^\/ws-api\/v3\/?$/.test(new URL(url).pathname) || this.#clients.size >= MAX_CLIENTS) return null;
    let client: Client | null = null;
    return {
      onOpen: (socket) => {
        client = { socket, subscriptionId: null, subscriptions: 0 };
        this.#clients.add(client);
      },
      onMessage: (_socket, text) => {
        if (client) this.#send(client, this.#answer(client, text));
      },
      onClose: () => {
        if (client) this.#clients.delete(client);
      },
    };
  }

  /** Tells every subscriber. */
  publish(event: Json): void {
    for (const client of this.#clients) {
      if (client.subscriptionId === null) continue;
      this.#events++;
      this.#send(client, { subscriptionId: client.subscriptionId, event });
    }
  }

  /** Drops every subscriber's connection, as a venue does when it likes. */
  cut(): void {
    for (const client of [...this.#clients]) {
      if (client.subscriptionId === null) continue;
      this.#cuts++;
      this.#drop(client, GOING_AWAY, "cut");
    }
  }

  /** Tells everybody that the server goes. */
  shutdown(): void {
    for (const client of this.#clients) this.#send(client, { event: { e: "serverShutdown", E: this.#deps.nowMs() } });
  }

  #answer(client: Client, text: string): Json {
    let request: Json = {};
    try {
      const value: unknown = text.length <= MAX_REQUEST_CHARS ? JSON.parse(text) : null;
      if (typeof value !== "object" || value === null) throw new RestError(400, -1135, "Invalid JSON Request");
      request = value as Json;
      return { id: request.id ?? null, status: 200, result: this.#run(client, request) };
    } catch (error) {
      const told = error instanceof RestError ? error : new RestError(400, -1135, "Invalid JSON Request");
      return { id: request.id ?? null, status: told.status, error: { code: told.code, msg: told.message } };
    }
  }

  #run(client: Client, request: Json): unknown {
    const { take, nowMs } = this.#deps;
    const parameters = parametersOf(request.params);
    switch (request.method) {
      case "ping":
        take(1);
        return {};
      case "time":
        take(1);
        return { serverTime: nowMs() };
      case "session.subscriptions":
        take(2);
        return client.subscriptionId === null ? [] : [{ subscriptionId: client.subscriptionId }];
      case "userDataStream.unsubscribe":
        take(2);
        if (client.subscriptionId === null)
          throw new RestError(400, -2036, "User Data Stream subscription not active.");
        client.subscriptionId = null;
        return {};
      case "userDataStream.subscribe.signature":
        take(2);
        return this.#subscribe(client, parameters);
      default:
        throw new RestError(400, -1000, `Unknown method '${String(request.method).slice(0, 60)}'`);
    }
  }

  #subscribe(client: Client, parameters: URLSearchParams): unknown {
    const payload = [...parameters]
      .filter(([name]) => name !== "signature")
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`)
      .join("&");
    checkSignature(this.#deps.keys, parameters.get("apiKey"), parameters.get("signature"), payload);
    checkTiming(parameters, this.#deps.nowMs());
    if (client.subscriptionId !== null)
      throw new RestError(400, -2035, "User Data Stream subscription already active.");
    client.subscriptionId = client.subscriptions++;
    return { subscriptionId: client.subscriptionId };
  }

  #send(client: Client, message: Json): void {
    if (!this.#clients.has(client) || client.socket.send(JSON.stringify(message)) <= MAX_CLIENT_BYTES) return;
    this.#slow++;
    this.#drop(client, POLICY_VIOLATION, "too slow: messages were not read");
  }

  #drop(client: Client, code: number, reason: string): void {
    this.#clients.delete(client);
    client.socket.close(code, reason);
  }
}

function parametersOf(value: unknown): URLSearchParams {
  const parameters = new URLSearchParams();
  if (typeof value === "object" && value !== null)
    for (const [name, each] of Object.entries(value)) parameters.set(name, String(each));
  return parameters;
}
