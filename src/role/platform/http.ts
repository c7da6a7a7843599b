import type { HttpGet, HttpSend, OpenSocket } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";

const CLOSE_WITHIN_MS = 1000;

/** One GET through the runtime's fetch. */
export const systemHttpGet: HttpGet = async (url, timeoutMs) => {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: "error" });
    return { status: reply.status, headers: Object.fromEntries(reply.headers), body: await reply.text() };
  } catch (error) {
    throw new FabricError("unavailable", `No answer from ${url}: ${messageOf(error)}`, { cause: error });
  }
};

/**
 * One request through the runtime's fetch. `more` is what a runtime's fetch needs so that it sends once: none may repeat a
 * request by itself, since what is repeated may be an order.
 */
export function httpSendWith(more: Readonly<Record<string, unknown>>): HttpSend {
  return async ({ method, url, headers, body }, timeoutMs) => {
    try {
      const options = { method, headers, body, signal: AbortSignal.timeout(timeoutMs), redirect: "manual", ...more };
      const reply = await fetch(url, options as RequestInit);
      return { status: reply.status, headers: Object.fromEntries(reply.headers), body: await reply.text() };
    } catch (error) {
      // The address alone: a query may be signed.
      throw new FabricError("unavailable", `No answer from ${url.split("?")[0]}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  };
}

/** A WebSocket client on the runtime's own WebSocket (it answers pings by itself). */
export const systemOpenSocket: OpenSocket = (url, handlers) => {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  let closed = false;
  const finish = (reason: string) => {
    if (closed) return;
    closed = true;
    handlers.onClose(reason);
  };
  socket.onopen = () => {
    if (!closed) handlers.onOpen();
  };
  socket.onmessage = (event: MessageEvent) => {
    if (!closed) handlers.onMessage(typeof event.data === "string" ? event.data : new TextDecoder().decode(event.data));
  };
  socket.onerror = () => undefined;
  socket.onclose = (event: CloseEvent) =>
    finish(`closed with code ${event.code}${event.reason ? ` (${event.reason})` : ""}`);
  return {
    send(text) {
      if (!closed && socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close() {
      if (closed) return;
      socket.close();
      setTimeout(() => {
        (socket as { terminate?: () => void }).terminate?.();
        finish("closed by us; the other side did not answer within a second");
      }, CLOSE_WITHIN_MS);
    },
  };
};
