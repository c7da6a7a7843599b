import type { Clock, Files, HttpGet, HttpSend, OpenSocket, OpenSqlite, Random, Serve, Timers } from "../../core/env.ts";

/** The real world, as one runtime offers it. Chosen by the `#platform` package condition. */
export interface Platform {
  readonly runtime: "bun" | "deno";
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly files: Files;
  readonly openSocket: OpenSocket;
  readonly httpGet: HttpGet;
  readonly httpSend: HttpSend;
  readonly serve: Serve;
  readonly openSqlite: OpenSqlite;
  /** Imports a TypeScript file of the user's, which may itself import "fabric" (the given exports). */
  importUserFile(path: string, fabric: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** The command and first arguments that start this same program again. */
  selfCommand(): readonly string[];
}
