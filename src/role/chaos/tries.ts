import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import { readAdvertisement } from "../lifecycle/advertisement.ts";
import { type Actor, environmentOf } from "./actor.ts";

/** A second start that takes this long is ended, and counts as one that was not refused. */
const TRY_WITHIN_MS = 10_000;
const HTTP_TIMEOUT_MS = 1500;
/** Handles and answers remembered. */
const MAX_TOLD = 20;

/** What came of starting a second node under a name in use. */
export interface SecondStart {
  readonly node: string;
  readonly expected: number;
  readonly code: number | null;
  /** The first one's process, which a refusal of market-data must name. */
  readonly pid: number;
  readonly said: string;
  /** The first one could not advertise itself just then (a full disk): a refusal cannot name its process. */
  readonly unadvertised: boolean;
  /** The first one ended meanwhile: nothing can be said. */
  readonly void: boolean;
}

/** What the bridge did when it was asked to act, and what it could write to. */
export interface BridgeFacts {
  requests: number;
  answered: number;
  /** Requests that were not refused. */
  readonly acted: string[];
  /** Files of the data folder that its process had open for writing, its own lock and sockets left out. */
  readonly handles: string[];
}

/** Starts a second node of the same words beside a living one; resolves once it is gone. Void at once where the first is dying. */
export function trySecond(first: Actor, data: string, mark: string): Promise<SecondStart> {
  const pid = first.pid ?? 0;
  const expected = first.part.role === "market-data" ? 69 : 77;
  // Its name is free in a moment: a second one would have it, and keep it from whoever comes next.
  if (!first.living)
    return Promise.resolve({ node: first.name, expected, code: null, pid, said: "", unadvertised: false, void: true });
  // Without endpoints of its own: not a port in use must refuse it, but the name.
  const words = first.part.words.filter((word, at, all) => word !== "--publish" && all[at - 1] !== "--publish");
  const [program = "", ...self] = platform.selfCommand();
  return new Promise((resolve) => {
    let said = "";
    const child = spawn(program, [...self, ...words], {
      stdio: ["pipe", "ignore", "pipe"],
      cwd: mark,
      env: environmentOf(first.part, mark, null),
    });
    child.stdin?.on("error", () => undefined);
    child.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    });
    const limit = platform.timers.after(TRY_WITHIN_MS, () => child.kill("SIGKILL"));
    const done = (code: number | null) => {
      limit.cancel();
      const unadvertised = readAdvertisement(join(data, "run"), platform.files, first.name)?.pid !== pid;
      resolve({ node: first.name, expected, code, pid, said: said.trim(), unadvertised, void: first.pid !== pid });
    };
    child.once("error", () => done(null));
    child.once("close", (code) => done(code));
  });
}

const METHODS = ["POST", "PUT", "PATCH", "DELETE"] as const;
const PATHS = ["/", "/api/candles?symbol=BTCUSDT", "/api/telemetry/snapshot", "/api/orders", "/api/halt", "/healthz"];

/** Asks the bridge to act in every way HTTP has, and looks at what its process could write to. */
export async function knock(facts: BridgeFacts, port: number, pid: number | null, data: string): Promise<void> {
  for (const handle of pid === null ? [] : writableHandles(pid, data))
    if (facts.handles.length < MAX_TOLD && !facts.handles.includes(handle)) facts.handles.push(handle);
  await Promise.all(
    METHODS.flatMap((method) =>
      PATHS.map(async (path) => {
        facts.requests++;
        try {
          const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
            method,
            signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
            body: "{}",
          });
          facts.answered++;
          await reply.text();
          if (reply.status < 400 && facts.acted.length < MAX_TOLD)
            facts.acted.push(`${method} ${path}: ${reply.status}`);
        } catch {
          // The bridge is down or frozen just now, which is no act either.
        }
      }),
    ),
  );
}

/** Files below `data` that a process holds open for writing, its own lock and socket left out. Linux; else nothing is found. */
function writableHandles(pid: number, data: string): readonly string[] {
  const found: string[] = [];
  let names: readonly string[] = [];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return found;
  }
  for (const name of names) {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${name}`);
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${name}`, "utf8"))?.[1] ?? "0";
      const writable = (Number.parseInt(flags, 8) & 3) !== 0;
      if (writable && path.startsWith(`${data}/`) && !/\/run\/bridge[.~]/.test(path)) found.push(path);
    } catch {
      // It was closed while we looked.
    }
  }
  return found;
}
