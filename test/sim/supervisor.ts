import { FabricError, messageOf } from "../../src/core/errors.ts";
import type { Seeded } from "../provider/sim/seeded.ts";
import { Life } from "./life.ts";
import { Killed, type World } from "./world.ts";

/** Runs one life of a node until it ends by itself or is told to stop. Rejects as the node's process would exit. */
export type NodeBody = (life: Life, stop: AbortSignal) => Promise<void>;

/** Restarting a process takes at least this long, wall ms. */
const RESTART_MS = 10;
/** What a supervisor answers by starting the node again. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "io", "try-again", "missing-input"]);

/** Starts a node, hurts it as the scenario says, and starts it again whenever its life has ended. */
export class Supervisor {
  readonly node: string;
  readonly #world: World;
  readonly #body: NodeBody;
  readonly #chance: Seeded;
  readonly #drift: number;
  #lives = 0;
  #life: Life | null = null;
  #stop = new AbortController();
  /** Of every life: a signal that somebody listens to and that never fires is held by the runtime for good, with all its world. */
  readonly #stops: AbortController[] = [];
  ends = 0;

  constructor(world: World, node: string, body: NodeBody) {
    this.node = node;
    this.#world = world;
    this.#body = body;
    this.#chance = world.chance(`supervisor ${node}`);
    const { rates } = world.scenario;
    this.#drift = rates["clock.drift"] > 0 ? (this.#chance.next() - 0.5) * 0.004 : 0;
  }

  get life(): Life | null {
    return this.#life?.alive ? this.#life : null;
  }

  start(delayMs: number): void {
    this.#world.time.after(delayMs, () => this.#start());
  }

  kill(why: string): void {
    this.#life?.kill(why);
  }

  /** At the end of the run, once every life is dead: lets go of whatever waits for a stop. */
  release(): void {
    for (const stop of this.#stops.splice(0)) stop.abort("the end of the run");
  }

  /** As the hurting ends: some die at the worst moment. */
  lastBlow(): void {
    const { rates } = this.#world.scenario;
    if (this.#chance.chance(Math.max(rates["node.kill"], rates["node.crash"]) * 0.6)) this.kill("the last blow");
  }

  stop(): void {
    const life = this.#life;
    if (!life?.alive) return;
    life.note("is asked to stop");
    const stop = this.#stop;
    life.enter(() => stop.abort("asked to stop"));
    // What hangs while stopping ends by itself (see lifecycle/node.ts).
    this.#world.time.after(4500, () => life.kill("overdue"));
  }

  #start(): void {
    const stop = this.#newStop();
    this.#stop = stop;
    const life = this.#newLife();
    this.#life = life;
    life.atDeath(() => this.#ended());
    this.#run(life, stop.signal, false);
    this.#plan(life);
  }

  #newStop(): AbortController {
    const stop = new AbortController();
    this.#stops.push(stop);
    return stop;
  }

  #newLife(): Life {
    const { rates } = this.#world.scenario;
    const strikes = this.#world.isHurting && this.#chance.chance(Math.sqrt(rates["node.crash"]));
    const after = strikes ? Math.floor(2 ** (this.#chance.next() * 12.5)) : Number.POSITIVE_INFINITY;
    return new Life(this.#world, this.node, ++this.#lives, this.#drift, after);
  }

  #run(life: Life, stop: AbortSignal, isSecond: boolean): void {
    life.note(isSecond ? "starts as a second of its name" : "starts");
    life.enter(() => {
      this.#body(life, stop).then(
        () => life.kill("done"),
        (error: unknown) => {
          if (!life.alive || error instanceof Killed) return;
          const code = error instanceof FabricError ? error.code : "a bug";
          const refusedAsSecond = isSecond && (code === "refused" || code === "unavailable");
          if (!PASSING.has(code) && !refusedAsSecond)
            this.#world.violate(
              10,
              `${life.name} ended for good (${code}): ${error instanceof Error ? error.stack : error}`,
            );
          life.kill(`ends: ${messageOf(error)}`);
        },
      );
    });
  }

  #ended(): void {
    this.ends++;
    const waitMs = this.#world.isHurting ? RESTART_MS + this.#chance.below(this.#chance.chance(0.3) ? 3000 : 200) : 50;
    this.start(waitMs);
  }

  /** What is to happen to this life, besides the crash between steps. */
  #plan(life: Life): void {
    const { rates } = this.#world.scenario;
    const at = (most: number, act: () => void) => {
      this.#world.time.after(this.#chance.below(most), () => {
        if (life.alive && this.#world.isHurting) act();
      });
    };
    if (this.#chance.chance(Math.sqrt(rates["node.kill"]) * 0.8)) at(5000, () => life.kill("kill -9"));
    if (this.#chance.chance(rates["node.stall"] * 0.8)) at(4000, () => life.stall(50 + this.#chance.below(4000)));
    if (this.#chance.chance(rates["node.stop"] * 0.6)) at(5000, () => this.stop());
    if (this.#chance.chance(rates["node.second"] * 0.8)) {
      at(4000, () => {
        const second = this.#newLife();
        const stop = this.#newStop();
        this.#run(second, stop.signal, true);
        this.#world.time.after(2500, () => second.kill("the second of its name"));
      });
    }
  }
}
