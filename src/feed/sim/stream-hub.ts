import type { Log, ServerSocket, ServerSocketHandlers } from "../../core/env.ts";
import { unreachable } from "../../core/errors.ts";
import { MAX_STREAMS, type RequestId, readStreamRequest, readStreamUrl } from "./stream-request.ts";
import type { Channel, Channels } from "./tape.ts";

/** Connections at once; further ones are refused with 503. */
export const MAX_CLIENTS = 1000;

export interface StreamHubDeps {
  readonly log: Log;
  /** Sends every event that is due; called before any request is answered and before a stream is joined. */
  readonly advance: () => void;
  /** Somebody subscribed to a stream for the first time. */
  readonly onFirstSubscription: () => void;
  /** Bytes that may wait for one client; beyond it the client is closed with 1008 and counted. */
  readonly maxClientBytes: number;
}

const POLICY_VIOLATION = 1008;

/** Who is connected and hears what. Answers subscription requests; events reach clients through `channels`. */
export class StreamHub {
  readonly #deps: StreamHubDeps;
  readonly #channels = new Map<string, StreamChannel>();
  readonly #clients = new Set<Client>();
  #begun = false;
  #connections = 0;
  #requests = 0;
  #badRequests = 0;
  #slowClients = 0;
  #frames = 0;

  constructor(deps: StreamHubDeps) {
    this.#deps = deps;
  }

  get channels(): Channels {
    return this.#channels;
  }

  get full(): boolean {
    return this.#clients.size >= MAX_CLIENTS;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      clients: this.#clients.size,
      streams: this.#channels.size,
      "connections.total": this.#connections,
      "requests.total": this.#requests,
      "requests.bad.total": this.#badRequests,
      "clients.slow.total": this.#slowClients,
      "frames.total": this.#frames,
    };
  }

  /** Handlers for a connection to /stream or /ws; null for any other URL, or while there are too many. */
  accept(url: string): ServerSocketHandlers | null {
    const wanted = readStreamUrl(url);
    if (!wanted || this.full) return null;
    let client: Client | null = null;
    return {
      onOpen: (socket) => {
        client = new Client(socket, wanted.combined);
        this.#clients.add(client);
        this.#connections++;
        if (wanted.streams.length > 0) this.#subscribe(client, wanted.streams);
      },
      onMessage: (_socket, text) => {
        if (client) this.#onRequest(client, text);
      },
      onClose: () => {
        if (client) this.#forget(client);
      },
    };
  }

  #onRequest(client: Client, text: string): void {
    this.#requests++;
    // The answer is a barrier: what was due before it is sent before it.
    this.#deps.advance();
    const request = readStreamRequest(text);
    switch (request.method) {
      case "LIST_SUBSCRIPTIONS":
        this.#answer(client, [...client.streams], request.id);
        break;
      case "UNSUBSCRIBE":
        this.#unsubscribe(client, request.streams);
        this.#answer(client, null, request.id);
        break;
      case "SUBSCRIBE":
        if (new Set([...client.streams, ...request.streams]).size > MAX_STREAMS) {
          this.#refuse(client, 2, `Invalid request: at most ${MAX_STREAMS} streams a connection`, request.id);
          break;
        }
        this.#subscribe(client, request.streams);
        this.#answer(client, null, request.id);
        break;
      case "invalid":
        this.#refuse(client, request.code, request.reason, request.id);
        break;
      default:
        unreachable(request);
    }
  }

  #answer(client: Client, result: readonly string[] | null, id: RequestId): void {
    this.#send(client, JSON.stringify({ result, id }));
  }

  #refuse(client: Client, code: number, msg: string, id: RequestId): void {
    this.#badRequests++;
    this.#send(client, JSON.stringify({ code, msg, id }));
  }

  #subscribe(client: Client, streams: readonly string[]): void {
    this.#deps.advance();
    if (!this.#begun) {
      this.#begun = true;
      this.#deps.onFirstSubscription();
    }
    for (const stream of streams) {
      if (client.streams.has(stream)) continue;
      client.streams.add(stream);
      let channel = this.#channels.get(stream);
      if (!channel) {
        channel = new StreamChannel(stream, (listener, text) => this.#send(listener, text));
        this.#channels.set(stream, channel);
      }
      channel.join(client);
    }
  }

  #unsubscribe(client: Client, streams: Iterable<string>): void {
    for (const stream of streams) {
      const channel = client.streams.delete(stream) ? this.#channels.get(stream) : undefined;
      if (channel?.leave(client) === 0) this.#channels.delete(stream);
    }
  }

  #send(client: Client, text: string): void {
    if (!client.open) return;
    this.#frames++;
    const waitingBytes = client.socket.send(text);
    if (waitingBytes <= this.#deps.maxClientBytes) return;
    this.#slowClients++;
    this.#deps.log.warn("A client that does not read was cut off", { waitingBytes });
    this.#forget(client);
    client.socket.close(POLICY_VIOLATION, "too slow: messages were not read");
  }

  #forget(client: Client): void {
    client.open = false;
    this.#clients.delete(client);
    this.#unsubscribe(client, [...client.streams]);
  }
}

class Client {
  readonly socket: ServerSocket;
  /** Whether events come wrapped with their stream's name. */
  readonly combined: boolean;
  readonly streams = new Set<string>();
  open = true;

  constructor(socket: ServerSocket, combined: boolean) {
    this.socket = socket;
    this.combined = combined;
  }
}

class StreamChannel implements Channel {
  readonly #head: string;
  readonly #send: (client: Client, text: string) => void;
  /** Replaced, never changed: a client may leave while an event is on its way to all. */
  #clients: readonly Client[] = [];

  constructor(stream: string, send: (client: Client, text: string) => void) {
    this.#head = `{"stream":${JSON.stringify(stream)},"data":`;
    this.#send = send;
  }

  join(client: Client): void {
    this.#clients = [...this.#clients, client];
  }

  /** Returns how many are left. */
  leave(client: Client): number {
    this.#clients = this.#clients.filter((other) => other !== client);
    return this.#clients.length;
  }

  publish(data: string, combined?: string): void {
    let wrapped = combined;
    for (const client of this.#clients) {
      if (client.combined) wrapped ??= `${this.#head}${data}}`;
      this.#send(client, client.combined ? (wrapped ?? data) : data);
    }
  }
}
