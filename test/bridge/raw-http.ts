import { createConnection } from "node:net";

/** What came of bytes written to a port. */
export interface RawReply {
  /** Everything that came back, as Latin-1. */
  readonly text: string;
  /** The status of the first answer; null where none came. */
  readonly status: number | null;
  /** Whether the other side closed or broke the connection, within the time. */
  readonly closed: boolean;
  readonly tookMs: number;
}

/** Writes bytes to a port of 127.0.0.1 and gathers what comes back: until the other side closes, or after `withinMs`. */
export function raw(port: number, bytes: string | Uint8Array, withinMs = 400): Promise<RawReply> {
  return drip(port, bytes, null, withinMs);
}

/** As `raw`, and goes on writing `drop` every `everyMs`. */
export function drip(
  port: number,
  first: string | Uint8Array,
  more: { readonly drop: string; readonly everyMs: number } | null,
  withinMs: number,
): Promise<RawReply> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const chunks: Buffer[] = [];
    const socket = createConnection({ port, host: "127.0.0.1" }, () => socket.write(first));
    const dripping = more && setInterval(() => socket.write(more.drop), more.everyMs);
    const finish = (closed: boolean) => {
      clearTimeout(timer);
      if (dripping) clearInterval(dripping);
      socket.destroy();
      const text = Buffer.concat(chunks).toString("latin1");
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
      const tookMs = performance.now() - startedAt;
      resolve({ text, status: status === undefined ? null : Number(status), closed, tookMs });
    };
    const timer = setTimeout(() => finish(false), withinMs);
    socket.on("data", (chunk) => chunks.push(Buffer.from(chunk)));
    socket.on("error", () => finish(true));
    socket.on("close", () => finish(true));
  });
}

/** A whole request that asks for the connection to be closed. */
export function request(line: string, headers: readonly string[] = ["Host: 127.0.0.1"]): string {
  return `${[line, ...headers, "Connection: close"].join("\r\n")}\r\n\r\n`;
}
