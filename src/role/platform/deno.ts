import { fileURLToPath, pathToFileURL } from "node:url";
import type { Serve, ServerSocket } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import { badRequest } from "./bad-request.ts";
import { systemClock, systemRandom, systemTimers } from "./clock.ts";
import type { Platform } from "./contract.ts";
import { systemFiles } from "./files.ts";
import { httpSendWith, systemHttpGet, systemOpenSocket } from "./http.ts";
import { listenFailure } from "./listen-failure.ts";
import { systemOpenSqlite } from "./sqlite.ts";

/** The few members of Deno's namespace that are used here. */
interface DenoServer {
  readonly addr: { readonly port: number };
  readonly finished: Promise<void>;
}

declare const Deno: {
  serve(
    options: {
      hostname: string;
      port: number;
      signal: AbortSignal;
      onListen: () => void;
      onError: (error: unknown) => Response;
    },
    handler: (
      request: Request,
      info: { readonly remoteAddr: { readonly hostname?: string } },
    ) => Response | Promise<Response>,
  ): DenoServer;
  createHttpClient(options: { poolMaxIdlePerHost: number; http2: boolean }): unknown;
  upgradeWebSocket(request: Request, options: { idleTimeout: number }): { socket: WebSocket; response: Response };
};

/**
 * Deno's fetch sends a request again, POST or not, when the kept connection that it went out on breaks without an answer (seen
 * with 2.9.6). On a connection of its own it is sent once.
 */
const singleUse = Deno.createHttpClient({ poolMaxIdlePerHost: 0, http2: false });

const serve: Serve = (options) => {
  const abort = new AbortController();
  const handle = (request: Request, peer: string | null): Response | Promise<Response> => {
    const bad = badRequest(request);
    if (bad) return bad;
    const handlers = request.headers.get("upgrade")?.toLowerCase() === "websocket" ? options.upgrade?.(request) : null;
    if (!handlers) return options.fetch(request, peer);
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    const server: ServerSocket = {
      send(text) {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
        return socket.bufferedAmount;
      },
      close: (code, reason) => socket.close(code, reason),
    };
    socket.onopen = () => handlers.onOpen(server);
    socket.onmessage = (event: MessageEvent) =>
      handlers.onMessage(server, typeof event.data === "string" ? event.data : new TextDecoder().decode(event.data));
    socket.onerror = () => undefined;
    socket.onclose = () => handlers.onClose(server);
    return response;
  };
  let listening: DenoServer;
  try {
    listening = Deno.serve(
      {
        hostname: options.host,
        port: options.port,
        signal: abort.signal,
        onListen: () => undefined,
        onError: onServeError,
      },
      (request, { remoteAddr }) => handle(request, remoteAddr.hostname ?? null),
    );
  } catch (error) {
    throw listenFailure(options.host, options.port, error);
  }
  return {
    host: options.host,
    port: listening.addr.port,
    async stop() {
      abort.abort();
      await listening.finished;
    },
  };
};

/** Deno's own world, with the same node: modules under it. */
export const platform: Platform = {
  runtime: "deno",
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  files: systemFiles,
  openSocket: systemOpenSocket,
  httpGet: systemHttpGet,
  httpSend: httpSendWith({ client: singleUse }),
  serve,
  openSqlite: systemOpenSqlite,
  /** deno.json's import map tells what "fabric" is, for the user's files, too. */
  async importUserFile(path) {
    try {
      return await import(pathToFileURL(path).href);
    } catch (error) {
      throw withPosition(error);
    }
  },
  selfCommand() {
    return [process.execPath, "run", "-A", fileURLToPath(new URL("../../../cmd/fabric.ts", import.meta.url).href)];
  },
};

/** Told of response streams that break, too. One that we broke off ourselves is no news; anything else is a bug. */
function onServeError(error: unknown): Response {
  if (!(error instanceof FabricError)) console.error(error);
  return new Response(null, { status: 500 });
}

/** Deno tells where a file does not compile at the end of a message of many lines ("at file:///…:2:11"), Bun in `position`. */
function withPosition(error: unknown): unknown {
  const place = /\n\s+at \S+:(\d+):(\d+)$/.exec(messageOf(error));
  if (!place) return error;
  return Object.assign(new Error(messageOf(error), { cause: error }), {
    position: { line: Number(place[1]), column: Number(place[2]) },
  });
}
