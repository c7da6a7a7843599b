import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cpuSeconds, rank } from "./figures.ts";
import type { Heard } from "./sse-clients.ts";
import type { Counters } from "./sse-server.ts";

// Event streams to many browsers: the bridge's app and hub in one process, clients over raw TCP in another, beside Hono's streamSSE with the
// same events and the same clients. `bun test/bench/sse.ts [SECONDS] [ROW…]`, rows by number.

interface Row {
  readonly kind: "bridge" | "hono";
  readonly readers: number;
  /** Clients that ask for the stream and never read it. */
  readonly deaf: number;
  readonly rate: number;
}

const ROWS: readonly Row[] = [
  { kind: "bridge", readers: 100, deaf: 0, rate: 20 },
  { kind: "hono", readers: 100, deaf: 0, rate: 20 },
  { kind: "bridge", readers: 1000, deaf: 0, rate: 20 },
  { kind: "hono", readers: 1000, deaf: 0, rate: 20 },
  { kind: "bridge", readers: 4990, deaf: 0, rate: 20 },
  { kind: "hono", readers: 4990, deaf: 0, rate: 20 },
  { kind: "bridge", readers: 1000, deaf: 100, rate: 20 },
  { kind: "hono", readers: 1000, deaf: 100, rate: 20 },
  { kind: "bridge", readers: 1000, deaf: 0, rate: 200 },
  { kind: "hono", readers: 1000, deaf: 0, rate: 200 },
  { kind: "bridge", readers: 1000, deaf: 0, rate: 2000 },
];

const SETTLE_MS = 1000;
const CONNECT_WITHIN_MS = 30_000;

const seconds = Number(process.argv[2] ?? 4);
const chosen = process.argv.slice(3).map(Number);

console.log(
  "server  readers + deaf  ev/s     told/s     CPU    memory        latency p50     p99     max  chunks/s  conflated  slow  cut",
);
for (const [number, row] of ROWS.entries()) {
  if (chosen.length > 0 && !chosen.includes(number)) continue;
  console.log(await measure(row).catch((error: unknown) => `${row.kind} ${row.readers} × ${row.rate}: ${error}`));
}

async function measure(row: Row): Promise<string> {
  await using server = spawn<{ port: number } | Counters>("sse-server.ts", [row.kind, `${row.rate}`]);
  const { port } = (await server.next()) as { port: number };
  const ask = async (word: string): Promise<Counters> => {
    server.tell(word);
    return (await server.next()) as Counters;
  };
  const emptyBytes = memoryOf(server.pid);
  await using deaf = spawn<"connected" | Heard>("sse-clients.ts", [`${port}`, "0", `${row.deaf}`]);
  await deaf.next();
  if (row.deaf > 0) await ask("fill");
  await using clients = spawn<"connected" | Heard>("sse-clients.ts", [`${port}`, `${row.readers}`, "0"]);
  await clients.next();
  await Bun.sleep(SETTLE_MS);

  const before = row.kind === "hono" ? {} : await ask("counters");
  const cpuBefore = cpuSeconds(server.pid);
  const startMs = performance.now();
  clients.tell("start");
  let mostBytes = 0;
  while (performance.now() - startMs < seconds * 1000) {
    await Bun.sleep(250);
    mostBytes = Math.max(mostBytes, memoryOf(server.pid));
  }
  clients.tell("stop");
  const heard = (await clients.next()) as Heard;
  const tookSeconds = (performance.now() - startMs) / 1000;
  const cpu = (cpuSeconds(server.pid) - cpuBefore) / tookSeconds;
  const after = row.kind === "hono" ? {} : await ask("counters");
  const grew = (name: string) => (name in after ? (after[name] ?? 0) - (before[name] ?? 0) : null);
  const sends = grew("bridge.sends.total");
  const count = (value: number | null) => (value === null ? "-" : Math.round(value).toLocaleString("en"));
  const ms = (at: number) => `${rank(heard.latenciesMs, at).toFixed(1)}`.padStart(8);
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  return [
    row.kind.padEnd(8),
    `${row.readers} + ${row.deaf}`.padEnd(16),
    `${row.rate}`.padStart(4),
    count(heard.events / tookSeconds).padStart(11),
    `${(cpu * 100).toFixed(1)} %`.padStart(9),
    `${megabytes(emptyBytes)} → ${megabytes(mostBytes)} MB`.padStart(14),
    ms(0.5).padStart(15),
    ms(0.99),
    ms(1),
    count(sends === null ? null : sends / tookSeconds).padStart(10),
    count(grew("bridge.conflated.total")).padStart(11),
    count(after["bridge.clients.slow"] ?? null).padStart(6),
    count(grew("bridge.clients.cut.total")).padStart(5),
    heard.closed > 0 ? `  ${heard.closed} CLOSED` : "",
    heard.untold > 0 ? `  ${heard.untold} readers were told nothing` : "",
  ].join("");
}

/** Resident memory of a process, bytes. Linux. */
function memoryOf(pid: number): number {
  const [, kilobytes = "NaN"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

interface Child<M> extends AsyncDisposable {
  readonly pid: number;
  tell(word: string): void;
  next(): Promise<M>;
}

/** A process of this folder that answers in messages, with as many open files as the machine lets it have. */
function spawn<M>(file: string, words: readonly string[]): Child<M> {
  const answers: M[] = [];
  let wake = () => {};
  const command = 'ulimit -n "$(ulimit -Hn)" && exec "$@"';
  const child = Bun.spawn(["sh", "-c", command, "sh", process.execPath, join(import.meta.dir, file), ...words], {
    stdout: "inherit",
    stderr: "inherit",
    ipc(message) {
      answers.push(message as M);
      wake();
    },
  });
  return {
    pid: child.pid,
    tell: (word) => child.send(word),
    async next() {
      const end = performance.now() + CONNECT_WITHIN_MS;
      while (answers.length === 0) {
        if (performance.now() > end || child.exitCode !== null) throw new Error(`${file} does not answer`);
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, 500);
        });
      }
      return answers.shift() as M;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
