type Pipe = { readonly client: Bun.Socket<undefined>; server: Bun.Socket<undefined> | null; waiting: Uint8Array[] };

/** What the proxy does with the bytes from its target: hands them on, drops them without a word, or has closed the connections. */
type Mode = "passing" | "swallowing" | "closed";

/** A TCP proxy on a free port that can go silent or hang up. Once it has swallowed, a connection's framing is gone for good. */
export class TcpProxy implements Disposable {
  readonly #pipes = new Set<Pipe>();
  readonly #listener: Bun.TCPSocketListener<undefined>;
  readonly #targetPort: number;
  #mode: Mode = "passing";

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#listener = Bun.listen<undefined>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (client) => this.#open(client),
        data: (client, bytes) => this.#up(client, bytes),
        close: (client) => this.#close(client),
        error: (client) => this.#close(client),
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Connections stand, and nothing comes over them any more. */
  swallow(): void {
    this.#mode = "swallowing";
  }

  /** Hangs up, and on whoever connects again. */
  cut(): void {
    this.#mode = "closed";
    for (const { client, server } of this.#pipes) {
      client.end();
      server?.end();
    }
  }

  [Symbol.dispose](): void {
    this.cut();
    this.#listener.stop(true);
  }

  #open(client: Bun.Socket<undefined>): void {
    if (this.#mode === "closed") {
      client.end();
      return;
    }
    const pipe: Pipe = { client, server: null, waiting: [] };
    this.#pipes.add(pipe);
    void Bun.connect<undefined>({
      hostname: "127.0.0.1",
      port: this.#targetPort,
      socket: {
        open: (server) => {
          pipe.server = server;
          for (const bytes of pipe.waiting.splice(0)) server.write(bytes);
        },
        data: (_, bytes) => {
          if (this.#mode === "passing") client.write(bytes);
        },
        close: () => void client.end(),
        error: () => void client.end(),
      },
    }).catch(() => client.end());
  }

  #up(client: Bun.Socket<undefined>, bytes: Uint8Array): void {
    const pipe = [...this.#pipes].find((each) => each.client === client);
    if (pipe?.server) pipe.server.write(bytes);
    else pipe?.waiting.push(bytes.slice());
  }

  #close(client: Bun.Socket<undefined>): void {
    for (const pipe of this.#pipes) {
      if (pipe.client !== client) continue;
      pipe.server?.end();
      this.#pipes.delete(pipe);
    }
  }
}
