import { fileURLToPath, pathToFileURL } from "node:url";
import type { Serve, ServerSocket, ServerSocketHandlers } from "../../core/env.ts";
import { badRequest } from "./bad-request.ts";
import { systemClock, systemRandom, systemTimers } from "./clock.ts";
import type { Platform } from "./contract.ts";
import { systemFiles } from "./files.ts";
import { httpSendWith, systemHttpGet, systemOpenSocket } from "./http.ts";
import { listenFailure } from "./listen-failure.ts";
import { boundSendBuffer } from "./send-buffer.ts";
import { systemOpenSqlite } from "./sqlite.ts";

interface SocketData {
  readonly handlers: ServerSocketHandlers;
  socket: ServerSocket | null;
}

const MAX_REQUEST_BYTES = 64 * 1024;
/**
 * A connection on which nothing moves is dropped after this; SSE heartbeats come every 5 s, so only the dead are. Bun itself drops one
 * whose first head is not whole after 10 s, and takes at most 16 KiB and 200 headers of it (431).
 */
const IDLE_SECONDS = 30;
/** A client whose unsent bytes pass this is closed by the runtime, whatever the handler does. */
const MAX_SOCKET_BACKLOG_BYTES = 64 * 1024 * 1024;

const serve: Serve = (options) => {
  const listen = () =>
    Bun.serve<SocketData>({
      hostname: options.host,
      port: options.port,
      idleTimeout: IDLE_SECONDS,
      development: false,
      // Without this word, "development: false" lets two processes listen on one port and share its connections.
      reusePort: false,
      maxRequestBodySize: MAX_REQUEST_BYTES,
      fetch(request, server) {
        const bad = badRequest(request);
        if (bad) return bad;
        const handlers = wantsUpgrade(request) ? options.upgrade?.(request) : null;
        if (handlers && server.upgrade(request, { data: { handlers, socket: null } })) return undefined;
        return options.fetch(request, server.requestIP(request)?.address ?? null);
      },
      websocket: {
        idleTimeout: 0,
        backpressureLimit: MAX_SOCKET_BACKLOG_BYTES,
        closeOnBackpressureLimit: true,
        open(ws) {
          ws.data.socket = {
            send(text) {
              ws.send(text);
              return ws.getBufferedAmount();
            },
            close: (code, reason) => ws.close(code, reason),
            drop: () => ws.terminate(),
          };
          ws.data.handlers.onOpen(ws.data.socket);
        },
        message(ws, message) {
          if (ws.data.socket)
            ws.data.handlers.onMessage(
              ws.data.socket,
              typeof message === "string" ? message : message.toString("utf8"),
            );
        },
        close(ws) {
          if (ws.data.socket) ws.data.handlers.onClose(ws.data.socket);
        },
      },
    });
  let server: ReturnType<typeof listen>;
  try {
    server = listen();
  } catch (error) {
    throw listenFailure(options.host, options.port, error);
  }
  if (options.unreadBytes !== undefined && server.port) boundSendBuffer(server.port, options.unreadBytes);
  return {
    host: options.host,
    port: server.port ?? options.port,
    stop: () => server.stop(true),
  };
};

/** Bun's own world. */
export const platform: Platform = {
  runtime: "bun",
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  files: systemFiles,
  openSocket: systemOpenSocket,
  httpGet: systemHttpGet,
  httpSend: httpSendWith({}),
  serve,
  openSqlite: systemOpenSqlite,
  importUserFile(path, fabric) {
    Bun.plugin({
      name: "fabric",
      setup(build) {
        build.module("fabric", () => ({ exports: { ...fabric }, loader: "object" }));
      },
    });
    return import(pathToFileURL(path).href);
  },
  selfCommand() {
    const main = fileURLToPath(new URL("../../../cmd/fabric.ts", import.meta.url));
    return Bun.main.startsWith("/$bunfs/") || Bun.main.startsWith("B:/")
      ? [process.execPath]
      : [process.execPath, main];
  },
};

function wantsUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}
