import { platform } from "#platform";
import type { Timer } from "../../core/env.ts";
import { unreachable } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { exchangeTimeOf, readSimState } from "../../feed/sim/sim-state.ts";
import { Actor, type Exit } from "./actor.ts";
import { castOf, type Ports, SPEED, type Stage } from "./cast.ts";
import type { Disk } from "./disk.ts";
import { DiskHand } from "./disk-hand.ts";
import { Ear } from "./ear.ts";
import { FileHand, HEAL_WITHIN_MS, type Healing } from "./file-hand.ts";
import { type OutageFacts, Outages } from "./outages.ts";
import { type Deed, diceOf, type Step, skewOf, type Victim } from "./plan.ts";
import { WireProxy } from "./proxy.ts";
import { Recovery } from "./recovery.ts";
import { type BridgeFacts, knock, type SecondStart, trySecond } from "./tries.ts";
import type { ChaosWish, Role } from "./wish.ts";

/** A node that died by itself is started again after this, doubling at each further such death up to the most; as `up` does. */
const RESTART_MS = 250;
const MOST_RESTART_MS = 2000;
const CALM_AFTER_MS = 10_000;
const DYING_MS = 5;
/** Longest wait for a minute's close. */
const MAX_CLOSE_WAIT_MS = 2000;
const LOOK_MS = 100;
/** Everything watched is healed or given up within `HEAL_WITHIN_MS` and a look. */
const WATCH_END_MS = HEAL_WITHIN_MS + 1000;

/** A death that chaos did not cause. */
export interface OwnDeath extends Exit {
  /** It had told that it runs. */
  readonly hadRun: boolean;
  /** The disk could not be written, then or a moment before. */
  readonly onTroubledDisk: boolean;
}

/** What was done, by name, and what came of it. */
export interface PlayFacts {
  readonly kills: Partial<Record<Role, number>>;
  readonly faults: Record<string, number>;
  readonly deaths: OwnDeath[];
  readonly seconds: SecondStart[];
  readonly bridge: BridgeFacts;
  readonly healings: readonly Healing[];
  readonly skipped: string[];
}

/** The play itself: the nodes, the wires between them, the disk, and the hand that hurts them. */
export class Play {
  readonly actors: readonly Actor[];
  readonly ear: Ear;
  readonly recovery: Recovery;
  readonly facts: PlayFacts;
  readonly #wish: ChaosWish;
  readonly #stage: Stage;
  readonly #diskHand: DiskHand;
  readonly #wires: Readonly<Record<"exchange" | "zmq", WireProxy>>;
  readonly #hand: FileHand;
  readonly #outages = new Outages();
  readonly #looks: Timer;
  readonly #timers = new Set<Timer>();
  readonly #waiting = new Map<string, Timer>();
  readonly #restartMs = new Map<string, number>();
  #closing: Promise<void> | null = null;
  #over = false;
  #ending = false;

  private constructor(
    wish: ChaosWish,
    stage: Stage,
    disk: Disk | null,
    ear: Ear,
    wires: Record<"exchange" | "zmq", WireProxy>,
  ) {
    this.#wish = wish;
    this.#stage = stage;
    this.#diskHand = new DiskHand(
      disk,
      (what) => this.#count(what),
      (what) => this.facts.skipped.push(what),
    );
    this.#wires = wires;
    this.ear = ear;
    const program = platform.selfCommand();
    this.actors = castOf(stage).map(
      (part) =>
        new Actor(part, program, { mark: stage.work, clock: platform.clock, onExit: (exit) => this.#onExit(exit) }),
    );
    this.#hand = new FileHand(stage.data, this.actors, () => this.#diskHand.troubled);
    this.#looks = platform.timers.every(LOOK_MS, () =>
      this.#outages.look(this.#isExchangeAway(), platform.clock.monotonicMs()),
    );
    this.recovery = new Recovery({ ...stage, ear, exchangeNowMs: () => this.exchangeNowMs() });
    this.facts = {
      kills: {},
      faults: {},
      deaths: [],
      seconds: [],
      bridge: { requests: 0, answered: 0, acted: [], handles: [] },
      healings: this.#hand.healings,
      skipped: [],
    };
  }

  static async open(wish: ChaosWish, stage: Stage, disk: Disk | null): Promise<Play> {
    const exchange = await WireProxy.open(stage.ports.exchange, stage.ports.sim);
    const zmq = await WireProxy.open(stage.ports.zmq, stage.ports.market);
    const ear = await Ear.open(`${stage.data}/run`, stage.ports.market);
    return new Play(wish, stage, disk, ear, { exchange, zmq });
  }

  get ports(): Ports {
    return this.#stage.ports;
  }

  actor(name: string): Actor | undefined {
    return this.actors.find((actor) => actor.name === name);
  }

  /** The exchange's clock, epoch ms; null before it runs. */
  exchangeNowMs(): number | null {
    try {
      const state = readSimState(this.#stage.data, platform.files);
      return state && exchangeTimeOf(state, platform.clock.nowMs());
    } catch {
      return null;
    }
  }

  startAll(): void {
    const dice = diceOf(this.#wish, 0);
    for (const actor of this.actors) this.#start(actor, skewOf(this.#wish, actor.part.role, dice));
  }

  /** Does the steps at their times, measured from now; resolves after the last, or once `stop` is aborted. */
  async perform(steps: readonly Step[], stop: AbortSignal): Promise<void> {
    const startMs = platform.clock.monotonicMs();
    for (const step of steps) {
      await this.pause(step.atMs - (platform.clock.monotonicMs() - startMs), stop);
      if (stop.aborted) return;
      this.#do(step);
    }
    await this.pause(this.#wish.forMs - (platform.clock.monotonicMs() - startMs), stop);
  }

  /** All faults end, everything is let back. */
  letBack(): void {
    this.#over = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const timer of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
    this.#diskHand.calm();
    for (const wire of Object.values(this.#wires)) wire.heal();
    for (const actor of this.actors) {
      actor.thaw();
      if (actor.doomed || actor.pid === null) this.#startLater(actor, 0, null);
    }
  }

  /** With the faults over: whatever was taken away is looked at once more; resolves once all of it is back, or given up. */
  async lookAgain(stop: AbortSignal): Promise<void> {
    const startMs = platform.clock.monotonicMs();
    this.#hand.lookAgain();
    while (this.#hand.watching && platform.clock.monotonicMs() - startMs < WATCH_END_MS && !stop.aborted)
      await this.pause(LOOK_MS, stop);
  }

  outages(): OutageFacts {
    return this.#outages.facts(platform.clock.monotonicMs());
  }

  /** Asks the bridge to act in every way there is. */
  async knock(): Promise<void> {
    await knock(this.facts.bridge, this.ports.bridge, this.actor("bridge")?.pid ?? null, this.#stage.data);
  }

  /** market-data cannot ask the exchange just now: it is down or asleep, or the exchange is, or the wire between them is hurt. */
  #isExchangeAway(): boolean {
    const isUp = (actor: Actor | undefined) =>
      actor?.living === true && !actor.frozen && this.ear.health.get(actor.name)?.pid === actor.pid;
    return this.#wires.exchange.hurting || !isUp(this.actor("sim")) || !isUp(this.actor("market-data"));
  }

  /** From now on nothing that ends is started again. */
  end(): void {
    this.#calm();
    this.#ending = true;
  }

  /** kill -9 of whatever still runs, and the wires closed. Bounded by a second or so. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.end();
    for (const actor of this.actors) actor.kill();
    await Promise.all(this.actors.map((actor) => actor.stop()));
    this.#diskHand.close();
    this.#looks.cancel();
    this.recovery.close();
    this.#hand.close();
    await this.ear[Symbol.asyncDispose]();
    await Promise.all(Object.values(this.#wires).map((wire) => wire.close()));
  }

  pause(ms: number, stop: AbortSignal): Promise<void> {
    if (ms <= 0 || stop.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        stop.removeEventListener("abort", done);
        resolve();
      };
      const timer = platform.timers.after(ms, done);
      stop.addEventListener("abort", done, { once: true });
    });
  }

  #calm(): void {
    for (const timer of [...this.#timers, ...this.#waiting.values()]) timer.cancel();
    this.#timers.clear();
    this.#waiting.clear();
  }

  #do(step: Step): void {
    switch (step.kind) {
      case "kill":
        this.#killAt(step);
        break;
      case "stall":
        this.#stall(step.node, step.forMs);
        break;
      case "drop":
        this.#count(`wire.${step.wire}.${step.how}`);
        this.#wires[step.wire].hurt(step.how, step.forMs, step.delayMs);
        break;
      case "disk":
        this.#diskHand.hurt(step);
        break;
      case "file":
        if (this.#hand.hurt(step)) this.#count(`file.${step.fault}`);
        break;
      case "second":
        this.#second(step.node);
        break;
      case "knock":
        void this.knock();
        break;
      default:
        unreachable(step);
    }
  }

  #killAt(deed: Extract<Deed, { kind: "kill" }>): void {
    const now = this.exchangeNowMs();
    if (deed.closeMs === null || now === null) {
      this.#kill(deed.victims);
      return;
    }
    const toCloseMs = (MINUTE_MS - (now % MINUTE_MS)) / SPEED;
    this.#later(Math.min(MAX_CLOSE_WAIT_MS, Math.max(0, toCloseMs + deed.closeMs)), () => this.#kill(deed.victims));
  }

  /** All at once first; then each is started again after its own time down. */
  #kill(victims: readonly Victim[]): void {
    for (const { node, downMs, skew } of victims) {
      const actor = this.actor(node);
      if (!actor || actor.held || !actor.kill()) continue;
      const { role } = actor.part;
      this.facts.kills[role] = (this.facts.kills[role] ?? 0) + 1;
      this.recovery.killed(actor.part);
      this.#startLater(actor, downMs, skew);
    }
  }

  #stall(node: string, forMs: number): void {
    const actor = this.actor(node);
    if (!actor || actor.held || !actor.freeze()) return;
    this.#count(`stall.${actor.part.role}`);
    this.recovery.disturbed(actor.part);
    this.#later(forMs, () => actor.thaw());
  }

  #second(node: string): void {
    const actor = this.actor(node);
    if (!actor || actor.held || actor.frozen || !actor.living || this.#hand.ranRecently) return;
    // Only one that is known to be up can be expected to hold its name.
    if (this.ear.health.get(node)?.pid !== actor.pid) return;
    void this.trySecond(actor);
  }

  /** Starts a second node beside a living one, which nothing hurts meanwhile. */
  async trySecond(actor: Actor): Promise<void> {
    actor.held = true;
    this.#hand.held = true;
    this.facts.seconds.push(await trySecond(actor, this.#stage.data, this.#stage.work));
    actor.held = false;
    this.#hand.held = false;
  }

  #onExit(exit: Exit): void {
    const actor = this.actor(exit.node);
    if (!actor || this.#ending || exit.ours) return;
    const hadRun = this.ear.ran.has(exit.pid);
    this.facts.deaths.push({ ...exit, hadRun, onTroubledDisk: this.#diskHand.troubledRecently });
    this.recovery.disturbed(actor.part);
    const calm = exit.upMs >= CALM_AFTER_MS;
    const delayMs = calm ? RESTART_MS : (this.#restartMs.get(exit.node) ?? RESTART_MS);
    this.#restartMs.set(exit.node, Math.min(MOST_RESTART_MS, delayMs * 2));
    this.#startLater(actor, delayMs, null);
  }

  #startLater(actor: Actor, delayMs: number, skew: string | null): void {
    this.#waiting.get(actor.name)?.cancel();
    const timer = platform.timers.after(this.#over ? Math.min(delayMs, RESTART_MS) : delayMs, () => {
      this.#waiting.delete(actor.name);
      // Killed and not yet gone: the kernel takes its time.
      if (actor.doomed) this.#startLater(actor, DYING_MS, skew);
      else this.#start(actor, skew);
    });
    this.#waiting.set(actor.name, timer);
  }

  #start(actor: Actor, skew: string | null): void {
    actor.start(skew);
    this.recovery.started(actor.part, actor.pid);
    if (skew !== null) this.#count(`skew.${actor.part.role}`);
  }

  #later(ms: number, run: () => void): void {
    const timer = platform.timers.after(ms, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }

  #count(fault: string): void {
    this.facts.faults[fault] = (this.facts.faults[fault] ?? 0) + 1;
  }
}
