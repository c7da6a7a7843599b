import { platform } from "#platform";
import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import { percentile } from "../lifecycle/process-meter.ts";
import type { Part, Ports } from "./cast.ts";
import type { Ear } from "./ear.ts";
import { decidedMinutes } from "./journals.ts";
import type { Role } from "./wish.ts";

const LOOK_MS = 40;
const HTTP_TIMEOUT_MS = 1000;

/** Wall ms until caught up: from the kill (the time it was kept down included), and from the start of the new process. */
export interface RecoveryTimes {
  readonly measured: number;
  /** Killed or frozen again before. */
  readonly interrupted: number;
  readonly fromKill: Spread;
  readonly fromStart: Spread;
}

export interface Spread {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

interface Time {
  readonly fromKillMs: number;
  readonly fromStartMs: number;
}

interface Pending {
  readonly part: Part;
  readonly killedMs: number;
  /** The life of market-data that was heard at the kill. */
  readonly epoch: string;
  /** The new process; null until it is started. */
  pid: number | null;
  startedMs: number;
  /** Minutes that must be reached; set at the start. */
  target: number;
  asking: boolean;
}

export interface RecoveryDeps {
  readonly data: string;
  readonly ports: Ports;
  readonly ear: Ear;
  /** The exchange's clock, epoch ms; null while it cannot be known. */
  exchangeNowMs(): number | null;
}

/**
 * Measures for each killed node the time until it has caught up. market-data: its new life has published, of every symbol, a
 * minute that was not over when it was started (rows come in order, so all before are there). A runner or the scanner: it has decided
 * (has seen) what was published when it was started, and a minute more than it had then. The exchange and the bridge: they answer,
 * the bridge with nodes.
 */
export class Recovery {
  readonly #deps: RecoveryDeps;
  readonly #pending = new Map<string, Pending>();
  readonly #times = new Map<Role, Time[]>();
  readonly #interrupted = new Map<Role, number>();
  readonly #timer: { cancel(): void };

  constructor(deps: RecoveryDeps) {
    this.#deps = deps;
    this.#timer = platform.timers.every(LOOK_MS, () => this.#look());
  }

  killed(part: Part): void {
    this.disturbed(part);
    const killedMs = platform.clock.monotonicMs();
    const { ear } = this.#deps;
    ear.rails.delete(part.name);
    const unknown = { pid: null, startedMs: killedMs, target: 0, asking: false };
    this.#pending.set(part.name, { part, killedMs, epoch: ear.marketEpoch, ...unknown });
  }

  started(part: Part, pid: number | null): void {
    const pending = this.#pending.get(part.name);
    if (!pending || pid === null) return;
    pending.pid = pid;
    pending.startedMs = platform.clock.monotonicMs();
    pending.target = part.role === "market-data" ? minuteOf(this.#deps.exchangeNowMs() ?? 0) : this.#nextMinuteOf(part);
  }

  /** What is published now, and a minute more than was decided. */
  #nextMinuteOf({ role, name }: Part): number {
    const published = [...this.#deps.ear.marketMinutes.values()];
    const decided = role === "runner" ? [...(decidedMinutes(this.#deps.data, name)?.values() ?? [])] : [];
    const least = (minutes: readonly number[]) =>
      minutes.reduce((one, other) => Math.min(one, other), published[0] ?? 0);
    return Math.max(least(published), decided.length === 0 ? 0 : least(decided) + MINUTE_MS);
  }

  /** What was being measured says nothing any more. */
  disturbed(part: Part): void {
    if (this.#pending.delete(part.name)) this.#interrupted.set(part.role, (this.#interrupted.get(part.role) ?? 0) + 1);
  }

  close(): void {
    this.#timer.cancel();
  }

  times(): Readonly<Partial<Record<Role, RecoveryTimes>>> {
    const roles = new Set([...this.#times.keys(), ...this.#interrupted.keys()]);
    return Object.fromEntries(
      [...roles].map((role) => {
        const times = this.#times.get(role) ?? [];
        const told: RecoveryTimes = {
          measured: times.length,
          interrupted: this.#interrupted.get(role) ?? 0,
          fromKill: spreadOf(times.map(({ fromKillMs }) => fromKillMs)),
          fromStart: spreadOf(times.map(({ fromStartMs }) => fromStartMs)),
        };
        return [role, told];
      }),
    );
  }

  #look(): void {
    for (const pending of this.#pending.values()) {
      if (pending.pid === null) continue;
      const { role } = pending.part;
      if (role === "sim") this.#ask(pending, `http://127.0.0.1:${this.#deps.ports.sim}/api/v3/time`, () => true);
      else if (role === "bridge")
        this.#ask(pending, `http://127.0.0.1:${this.#deps.ports.bridge}/api/telemetry/snapshot`, hasNodes);
      else if (this.#reached(pending)) this.#done(pending);
    }
  }

  #reached({ part, pid, epoch, target }: Pending): boolean {
    const { ear, data } = this.#deps;
    if (part.role === "market-data") {
      const minutes = [...ear.marketMinutes.values()];
      return ear.marketEpoch !== epoch && minutes.length > 0 && minutes.every((minute) => minute >= target);
    }
    if (part.role === "runner") {
      const minutes = [...(decidedMinutes(data, part.name)?.values() ?? [])];
      return minutes.length > 0 && minutes.every((minute) => minute >= target);
    }
    const rails = ear.rails.get(part.name) ?? [];
    return (
      ear.health.get(part.name)?.pid === pid &&
      rails.length > 0 &&
      rails.every(({ lastOpenTime }) => lastOpenTime !== null && lastOpenTime >= target)
    );
  }

  #ask(pending: Pending, url: string, isWell: (body: string) => boolean): void {
    if (pending.asking) return;
    pending.asking = true;
    platform.httpGet(url, HTTP_TIMEOUT_MS).then(
      ({ status, body }) => {
        pending.asking = false;
        if (status === 200 && isWell(body) && this.#pending.get(pending.part.name) === pending) this.#done(pending);
      },
      () => {
        pending.asking = false;
      },
    );
  }

  #done({ part, killedMs, startedMs }: Pending): void {
    this.#pending.delete(part.name);
    const times = this.#times.get(part.role) ?? [];
    const now = platform.clock.monotonicMs();
    times.push({ fromKillMs: now - killedMs, fromStartMs: now - startedMs });
    this.#times.set(part.role, times);
  }
}

function spreadOf(times: readonly number[]): Spread {
  const sorted = [...times].sort((one, other) => one - other);
  const [p50Ms, p99Ms] = [0.5, 0.99].map((rank) => Math.round(percentile(sorted, rank)));
  return { p50Ms: p50Ms ?? 0, p99Ms: p99Ms ?? 0, maxMs: Math.round(sorted.at(-1) ?? 0) };
}

function hasNodes(body: string): boolean {
  try {
    return (JSON.parse(body) as { readonly nodes: readonly unknown[] }).nodes.length > 0;
  } catch {
    return false;
  }
}
