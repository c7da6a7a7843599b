import { createConnection, type Socket } from "node:net";

const ID = Buffer.from("\nid: ");

/** A TCP client of an event stream that keeps nothing but the numbers of the events, as cheaply as may be. */
export class CountingSocket {
  readonly socket: Socket;
  readonly seqs: number[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(port: number, path: string) {
    this.socket = createConnection({ port, host: "127.0.0.1" }, () => {
      this.socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    });
    this.socket.on("error", () => {});
    this.socket.on("data", (bytes: Buffer) => this.#take(bytes));
  }

  /** An id's line may be cut anywhere, also by a mark of the chunked encoding: those are looked at with what comes next. */
  #take(bytes: Buffer): void {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    let from = 0;
    for (let at = all.indexOf(ID); at >= 0; at = all.indexOf(ID, from)) {
      const end = all.indexOf("\n", at + ID.length);
      if (end < 0) break;
      const line = all.toString("latin1", at + ID.length, end);
      this.seqs.push(Number(line.slice(line.lastIndexOf("-") + 1)));
      from = end;
    }
    this.#rest = Buffer.from(all.subarray(Math.max(from, all.length - LONGEST_LINE)));
  }
}

const LONGEST_LINE = 200;
