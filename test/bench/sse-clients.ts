import { MADE_AT, nowUs } from "./sse-events.ts";

// The browsers of sse.ts, as a process of their own: raw TCP, read as cheaply as may be so that the server is what is measured.
// `sse-clients.ts PORT READERS DEAF`: all ask for the stream, the deaf never read it. Told "start" and "stop" by its parent, it answers
// the stop with what its readers were told in between.

export interface Heard {
  readonly events: number;
  readonly bytes: number;
  /** Of every event that a sample of the readers was told, ms from its making to its reading; at most `MOST_SAMPLES`. */
  readonly latenciesMs: readonly number[];
  readonly closed: number;
  /** Readers that were told nothing yet. */
  readonly untold: number;
}

/** Latency is read off by one reader in so many. */
const SAMPLE_EVERY = 32;
const MOST_SAMPLES = 200_000;
const CONNECT_AT_ONCE = 200;
const PATIENCE_MS = 10_000;
/** µs since 1970, until 2286. */
const TIME_DIGITS = 16;

const [port = "0", readers = "1", deaf = "0"] = process.argv.slice(2);
const marker = Buffer.from("\nid: ");
const madeAt = Buffer.from(`"${MADE_AT}":`);
let [events, bytes, closed] = [0, 0, 0];
let latenciesMs: number[] = [];
let listening = 0;

const total = Number(readers) + Number(deaf);
for (let first = 0; first < total; first += CONNECT_AT_ONCE) {
  const count = Math.min(CONNECT_AT_ONCE, total - first);
  await Promise.all(Array.from({ length: count }, (_, i) => connect(first + i)));
}
process.on("message", (word) => {
  if (word === "start") [events, bytes, latenciesMs] = [0, 0, []];
  else process.send?.({ events, bytes, latenciesMs, closed, untold: Number(readers) - listening } satisfies Heard);
});
const sinceMs = performance.now();
const waiting = setInterval(() => {
  if (listening < Number(readers) && performance.now() - sinceMs < PATIENCE_MS) return;
  clearInterval(waiting);
  process.send?.("connected");
}, 20);

async function connect(n: number): Promise<void> {
  const isDeaf = n >= Number(readers);
  const isSampled = n % SAMPLE_EVERY === 0;
  let heard = false;
  await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: {
      open(socket) {
        socket.write("GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n");
        if (isDeaf) socket.pause();
      },
      data(_socket, chunk) {
        if (!heard) {
          heard = true;
          listening++;
        }
        bytes += chunk.length;
        // An event whose first line is cut in two is not counted: one in some thousands.
        for (let at = chunk.indexOf(marker); at >= 0; at = chunk.indexOf(marker, at + marker.length)) events++;
        if (isSampled) sample(chunk);
      },
      close() {
        closed++;
      },
    },
  });
}

function sample(chunk: Buffer): void {
  const now = nowUs();
  for (let at = chunk.indexOf(madeAt); at >= 0; at = chunk.indexOf(madeAt, at + madeAt.length)) {
    const digits = Number(chunk.toString("latin1", at + madeAt.length, at + madeAt.length + TIME_DIGITS));
    if (latenciesMs.length < MOST_SAMPLES && digits > 1e15) latenciesMs.push((now - digits) / 1000);
  }
}
