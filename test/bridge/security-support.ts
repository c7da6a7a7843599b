import { platform } from "#platform";
import { Access } from "../../src/bridge/access.ts";
import { Gate, type GateOptions, LOCAL_GATE } from "../../src/bridge/gate.ts";
import type { SessionLimits } from "../../src/bridge/sessions.ts";
import { bridgeFixture, type Fixture, LogBook, ManualTime } from "./bridge-fixture.ts";

/** Shown by whoever may read; looked for in everything that is served and logged. */
export const TOKEN = "correct-horse-battery-staple";

export interface Guarded extends Fixture {
  readonly time: ManualTime;
  readonly gate: Gate;
  /** What the access logs. */
  readonly warnings: LogBook;
  /** Asks as a client of that address. */
  ask(path: string, init?: RequestInit, peer?: string): Promise<Response>;
  /** Posts the login form; a session's cookie where it was right. */
  logIn(token: string, peer?: string, headers?: Record<string, string>): Promise<Response>;
}

/** A bridge with a token, on a clock that only the test moves. */
export function guarded(options: Partial<GateOptions> & { sessionLimits?: SessionLimits; token?: string | null } = {}) {
  const { sessionLimits, token = TOKEN, ...more } = options;
  const time = new ManualTime();
  const warnings = new LogBook();
  const deps = { clock: time, timers: time, random: platform.random, log: warnings };
  const access = token === null ? null : new Access(token, { ...deps, ...(sessionLimits ? { sessionLimits } : {}) });
  const gate = new Gate({ ...LOCAL_GATE, access, ...more }, deps);
  const assets = {
    get: (path: string) => (path === "/" ? { body: "<!doctype html>", contentType: "text/html" } : null),
  };
  // No heartbeat fills the stream of a client that never reads while the clock runs for days.
  const hubTimes = { heartbeatMs: 30 * 24 * 3_600_000 };
  const fixture = bridgeFixture({ time, gate, assets, hubTimes });
  const ask = async (path: string, init: RequestInit = {}, peer = "127.0.0.1"): Promise<Response> =>
    fixture.app.fetch(new Request(`http://localhost:8080${path}`, init), { peer });
  return {
    ...fixture,
    time,
    gate,
    warnings,
    ask,
    logIn: (shown: string, peer?: string, headers: Record<string, string> = {}) =>
      ask("/login", { method: "POST", ...form(shown, headers) }, peer),
  } satisfies Guarded;
}

export const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

/** The cookie of a login's answer as a browser sends it back. */
export function cookieOf(reply: Response): string {
  return (reply.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
}

function form(token: string, headers: Record<string, string>): { body: string; headers: Record<string, string> } {
  const body = new URLSearchParams({ token }).toString();
  const type = "application/x-www-form-urlencoded";
  return { body, headers: { "content-type": type, "content-length": `${body.length}`, ...headers } };
}
