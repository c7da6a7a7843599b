import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nativeLibraryPath } from "../../src/zmq/native-library.ts";
import { tempFolder } from "../support/temp-folder.ts";

// Throughput and one-way latency of 128-byte one-frame messages between two processes over tcp on one machine: fabric
// beside zeromq.js on Node, pyzmq and plain libzmq from C, in one run. `bun test/bench/zmq.ts [ROUNDS]`. Each stack sends
// and receives with its own code; contenders take turns within a round and the table shows medians over the rounds. The
// first quarter of the latencies (cold code) is left out, for all alike.

const ROUNDS = Number(process.argv[2] ?? 5);
const THROUGHPUT_COUNT = 1_000_000;
const LATENCY_COUNT = 2000;
const RUN_LIMIT_MS = 60_000;
/** Time for a subscription to take effect at the publisher. */
const JOIN_MS = 400;

interface Contender {
  readonly name: string;
  readonly command: readonly string[];
}

interface Result {
  readonly perSecond: number[];
  readonly p50: number[];
  readonly p99: number[];
}

using folder = tempFolder();
const contenders = findContenders(folder.join("libzmq-bench"));
const results = new Map(contenders.map(({ name }) => [name, { perSecond: [], p50: [], p99: [] } as Result]));
for (let round = 1; round <= ROUNDS; round++) {
  for (const contender of contenders) {
    const result = results.get(contender.name);
    const throughput = await measure(contender, "throughput", THROUGHPUT_COUNT);
    result?.perSecond.push(throughput.perSecond ?? Number.NaN);
    const latency = await measure(contender, "latency", LATENCY_COUNT);
    result?.p50.push(latency.p50 ?? Number.NaN);
    result?.p99.push(latency.p99 ?? Number.NaN);
  }
  console.error(`round ${round} of ${ROUNDS} done`);
}
report();

function findContenders(binary: string): readonly Contender[] {
  const here = import.meta.dir;
  const found: Contender[] = [{ name: "fabric", command: [process.execPath, join(here, "zmq-fabric.ts")] }];
  const node = Bun.which("node");
  if (node) found.push({ name: "zeromq.js on Node", command: [node, join(here, "zmq-node.mjs")] });
  else console.error("SKIPPED zeromq.js: no node");
  const python = "/usr/bin/python3";
  if (works([python, "-c", "import zmq"])) found.push({ name: "pyzmq", command: [python, join(here, "zmq-pyzmq.py")] });
  else console.error("SKIPPED pyzmq: /usr/bin/python3 has no zmq (Debian: python3-zmq)");
  if (compile(join(here, "zmq-libzmq.c"), binary))
    found.push({ name: "libzmq from C", command: [binary, nativeLibraryPath()] });
  else console.error("SKIPPED libzmq from C: no gcc");
  return found;
}

/** The library's file is a Node addon and wants Node's functions at load time: the program exports empty ones. */
function compile(source: string, binary: string): boolean {
  const names = new Set(readFileSync(nativeLibraryPath(), "latin1").match(/\bnapi_[a-z0-9_]+/g));
  writeFileSync(`${binary}.c`, [...names].map((name) => `void ${name}(void) {}`).join("\n"));
  return works(["gcc", "-O2", "-rdynamic", source, `${binary}.c`, "-o", binary, "-ldl"]);
}

function works(command: readonly string[]): boolean {
  try {
    return Bun.spawnSync([...command]).exitCode === 0;
  } catch {
    return false;
  }
}

async function measure(contender: Contender, what: string, count: number): Promise<Partial<Record<string, number>>> {
  const sender = start([...contender.command, "send", what, String(count)]);
  const address = (await sender.lines.next()).value ?? "";
  const receiver = start([...contender.command, "receive", what, String(count), address]);
  const late = setTimeout(() => receiver.child.kill("SIGKILL"), RUN_LIMIT_MS);
  await receiver.lines.next();
  await Bun.sleep(JOIN_MS);
  sender.child.stdin.write("go\n");
  sender.child.stdin.flush();
  const line = (await receiver.lines.next()).value;
  clearTimeout(late);
  sender.child.stdin.end();
  sender.child.kill("SIGKILL");
  await Promise.all([sender.child.exited, receiver.child.exited]);
  return line ? JSON.parse(line) : {};
}

function start(command: string[]) {
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  return { child, lines: linesOf(child.stdout) };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n")) {
      yield text.slice(0, at).replaceAll("\0", "");
      text = text.slice(at + 1);
    }
  }
  return undefined;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function report(): void {
  const ours = results.get("fabric");
  if (!ours) return;
  console.log(`128-byte frames, tcp, ${ROUNDS} rounds, medians (fabric / other in brackets)`);
  console.log("stack               | messages/s          | p50 us            | p99 us");
  for (const [name, result] of results) {
    const cell = (mine: readonly number[], other: readonly number[], digits: number) =>
      `${median(other).toFixed(digits)} (${(median(mine) / median(other)).toFixed(2)}x)`;
    const columns = [
      name.padEnd(19),
      cell(ours.perSecond, result.perSecond, 0).padEnd(19),
      cell(ours.p50, result.p50, 0).padEnd(17),
      cell(ours.p99, result.p99, 0),
    ];
    console.log(columns.join(" | "));
  }
}
