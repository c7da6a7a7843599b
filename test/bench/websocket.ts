/**
 * Trade frames of every venue's shape over a real WebSocket into one process on one core: only received, with JSON.parse of each, with
 * the venue's reader, and with reader and aggregation to candles. `bun test/bench/websocket.ts [FRAMES] [SYMBOLS] [SHAPE…]`, where a
 * shape is its venue's or its own name. The server has a process, and where `taskset` is at hand a core, of its own.
 */
import { join } from "node:path";
import { hasRecordings } from "../feed/support.ts";
import { rank } from "./figures.ts";
import { MODES, type Mode, SHAPES } from "./venue-shapes.ts";

const FRAMES = Number(process.argv[2] ?? 400_000);
const SYMBOLS = Number(process.argv[3] ?? 100);
const wanted = process.argv.slice(4);
const ROUNDS = 6;
/** Rounds of each client that do not count. */
const WARM_UP = 2;
const GOAL = 1e6;

const taskset = Bun.which("taskset");
const onCore = (core: number, script: string, ...args: readonly (string | number)[]) =>
  Bun.spawn(
    [
      ...(taskset === null ? [] : [taskset, "-c", `${core}`]),
      process.execPath,
      join(import.meta.dir, script),
      ...args.map(String),
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );

async function portOf(server: { readonly stdout: ReadableStream<Uint8Array> }): Promise<number> {
  let said = "";
  for await (const chunk of server.stdout) {
    said += new TextDecoder().decode(chunk);
    if (said.includes("\n")) return Number(said);
  }
  throw new Error("The server ended before it listened");
}

interface Pass {
  readonly perSecond: number;
  readonly core: number;
}

/** The passes of each mode, first ones left out. */
async function passes(shapeAt: number): Promise<ReadonlyMap<Mode, readonly Pass[]>> {
  const server = onCore(0, "websocket-server.ts", shapeAt, FRAMES, SYMBOLS);
  try {
    const port = await portOf(server);
    const all = new Map<Mode, readonly Pass[]>();
    for (const mode of MODES) {
      const client = onCore(1, "websocket-client.ts", mode, port, shapeAt, FRAMES, SYMBOLS, ROUNDS);
      const lines = (await new Response(client.stdout).text()).trim().split("\n");
      if ((await client.exited) !== 0) throw new Error(`The client ended with ${client.exitCode}`);
      all.set(
        mode,
        lines.slice(WARM_UP).map((line) => JSON.parse(line) as Pass),
      );
    }
    return all;
  } finally {
    server.kill();
    await server.exited;
  }
}

if (!hasRecordings) process.exit(0);
console.log(
  `${FRAMES} frames of ${SYMBOLS} symbols a round${taskset === null ? "; no taskset: client and server share all cores" : ""}; M frames/s (share of a core)`,
);
console.log(`${"".padEnd(29)}${MODES.map((mode) => mode.padEnd(16)).join("")}`);
let short = 0;
for (const [at, { venue, name }] of SHAPES.entries()) {
  if (wanted.length > 0 && !wanted.includes(venue) && !wanted.includes(name)) continue;
  const measured = await passes(at);
  const cells = MODES.map((mode) => {
    const own = measured.get(mode) ?? [];
    const rate = rank(
      own.map(({ perSecond }) => perSecond),
      0.5,
    );
    const share = rank(
      own.map(({ core }) => core),
      0.5,
    );
    if (mode === "candles" && rate < GOAL) short++;
    return `${(rate / 1e6).toFixed(2)} (${(share * 100).toFixed(0)} %)`.padEnd(16);
  });
  console.log(`${venue.padEnd(14)}${name.padEnd(15)}${cells.join("")}`);
}
console.log(
  short === 0 ? "Every shape reaches a million frames a second" : `Below a million frames a second: ${short} shapes`,
);
