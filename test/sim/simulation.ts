import { drainMicrotasks } from "bun:jsc";
import { grantWriter } from "../../src/store/grant.ts";
import { declareRole } from "../../src/store/guard.ts";
import { type BridgeFacts, bridgeLife } from "./bridge-node.ts";
import { AccountJudge } from "./checks-account.ts";
import { judgeScanner } from "./checks-delivery.ts";
import { judgeBeginning, RunnerJudge } from "./checks-runner.ts";
import { StoreWatch } from "./checks-store.ts";
import { ToldWatch } from "./checks-told.ts";
import { journalOf } from "./journal-view.ts";
import type { Life } from "./life.ts";
import { Machine } from "./machine.ts";
import { type MarketFacts, marketLife } from "./market-node.ts";
import { Mischief } from "./mischief.ts";
import { type RunnerFacts, runnerLife } from "./runner-node.ts";
import { freshMemory, scannerLife } from "./scanner-node.ts";
import { type Cuts, drawScenario, NO_CUTS, type RunnerSpec } from "./scenario.ts";
import { Supervisor } from "./supervisor.ts";
import { type Violation, World } from "./world.ts";

/** What was durable this long before the end has to be with every consumer, wall ms. */
const CATCH_UP_MS = 3500;
/** Everybody is up again by then, and hears a heartbeat within this, wall ms. */
const HEARING_MS = 1700;
const MINUTE = 60_000;
/** Heartbeats taken in, and in which of its process's lives. */
interface Hearing {
  readonly count: number;
  readonly lives: number;
}

/** What is under way is committed this long after the last trade was told, and damage is mended within the other, wall ms. */
const SILENCE_MS = 1000;
const MENDING_MS = 3500;
/** A market that is heard has closed every minute that ended this long before the end: settling, retries and a seal. */
const CLOSE_LAG_MS = 5000;

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly hash: string;
  readonly tradingHash: string;
  readonly lines: readonly string[];
  readonly events: number;
  readonly rows: number;
  readonly lives: number;
}

/** Runs one seed from start to verdict. The same seed and cuts give the same run, byte for byte. */
export function simulate(seed: number, cuts: Cuts = NO_CUTS, keepTrace = 0): Outcome {
  // One process plays every role here: only market-data's may write, and the guard is asked under its name.
  declareRole("market-data");
  const world = new World(seed, drawScenario(seed, cuts), keepTrace);
  const run = new Run(world);
  try {
    run.play();
    run.judge();
    run.decay();
  } finally {
    run.end();
  }
  return {
    seed,
    violations: world.violations,
    ...{
      hash: world.trace.hash,
      tradingHash: world.trace.tradingHash,
      lines: world.trace.lines,
      events: world.trace.events,
    },
    ...{ rows: run.machine.truth.rows.length, lives: run.lives },
  };
}

class Run {
  readonly world: World;
  readonly machine: Machine;
  readonly #watch: StoreWatch;
  readonly #mischief: Mischief;
  readonly #told: ToldWatch;
  readonly #market: Supervisor;
  readonly #runners: { readonly spec: RunnerSpec; readonly facts: RunnerFacts; readonly supervisor: Supervisor }[] = [];
  readonly #scanner: Supervisor | null;
  readonly #bridge: Supervisor | null;
  readonly #bridgeFacts: BridgeFacts = { hub: null, life: null };
  readonly #memory = freshMemory();
  readonly #marketFacts: MarketFacts = { core: null, life: null };
  #dueSeq = 0;
  /** Corrections that the market's core had been given when what was durable was to be caught up with. */
  #dueCorrections: { readonly core: MarketFacts["core"]; readonly offered: number } = { core: null, offered: 0 };
  /** Lives that followed the market well before the end. */
  #up: ReadonlySet<Life> = new Set();
  /** Exchange time from which on nothing was hurt. */
  #calmSinceMs = 0;

  constructor(world: World) {
    this.world = world;
    this.machine = new Machine(world);
    this.#watch = new StoreWatch(this.machine);
    const { scenario } = world;
    this.#market = new Supervisor(world, "market-data", (life, stop) =>
      marketLife(this.machine, this.#marketFacts, life, stop),
    );
    for (const spec of scenario.runners) {
      const facts: RunnerFacts = { runner: null, life: null };
      const supervisor = new Supervisor(world, spec.name, (life, stop) =>
        runnerLife(this.machine, spec, facts, life, stop),
      );
      this.#runners.push({ spec, facts, supervisor });
      if (spec.broker === "venue") this.#watchOrders(spec);
    }
    this.#told = new ToldWatch(this.machine, this.#runners);
    this.#bridge = scenario.hasBridge
      ? new Supervisor(world, "bridge", (life, stop) => bridgeLife(this.machine, this.#bridgeFacts, life, stop))
      : null;
    const { scanner } = scenario;
    this.#scanner = scanner
      ? new Supervisor(world, "scanner", (life, stop) => scannerLife(this.machine, scanner, this.#memory, life, stop))
      : null;
    this.#mischief = new Mischief(this.machine, this.#watch, this.#supervisors());
  }

  /** Damage while nothing is told and nothing committed, which no seal comes by to find. */
  decay(): void {
    const { world, machine } = this;
    const isOff =
      world.scenario.rates["store.decays"] === 0 || !machine.disk.files.has("/data/published/manifest.json");
    if (isOff || world.violations.length > 0 || !this.#marketFacts.life?.alive) return;
    machine.market.isSilent = true;
    world.run(SILENCE_MS);
    this.#mischief.decay();
    world.run(MENDING_MS);
    this.#watch.judgeMended();
  }

  get lives(): number {
    return this.#supervisors().reduce((sum, supervisor) => sum + supervisor.ends, 0);
  }

  play(): void {
    const { world, machine } = this;
    const { scenario } = world;
    this.#checkGuard();
    const chance = world.chance("starts");
    this.#market.start(chance.below(1500));
    for (const { spec, supervisor } of this.#runners) supervisor.start(spec.startMs);
    this.#scanner?.start(chance.below(2000));
    this.#bridge?.start(world.chance("bridge").below(2000));
    if (scenario.rates["clock.skew"] > 0) world.wallOffsetMs = (world.chance("skew").next() - 0.5) * 7_200_000;
    this.#mischief.begin();
    world.run(scenario.hurtMs);
    for (const supervisor of this.#supervisors()) supervisor.lastBlow();
    world.isHurting = false;
    machine.disk.unhalt();
    this.#calmSinceMs = machine.market.nowMs;
    world.note("world", "nothing is hurt from here on");
    // An operator does not wait for the longest retry.
    for (const { facts, supervisor } of this.#runners) if (facts.runner?.status().state === "halted") supervisor.stop();
    world.run(scenario.quietMs - HEARING_MS - CATCH_UP_MS);
    const before = this.#hearing();
    this.#up = new Set(before.keys());
    world.run(HEARING_MS);
    this.#dueSeq = this.machine.truth.rows.length;
    const { waiting, stored, dropped } = this.#marketFacts.core?.revisions ?? { waiting: 0, stored: 0, dropped: 0 };
    this.#dueCorrections = { core: this.#marketFacts.core, offered: waiting + stored + dropped };
    this.#judgeHearing(before);
    world.run(CATCH_UP_MS);
  }

  judge(): void {
    const { world, machine } = this;
    if (world.violations.length > 0) return;
    this.#watch.judge();
    this.#judgeMarket();
    for (const { spec, facts } of this.#runners) {
      const journal = journalOf(machine, spec.name);
      if (!journal || journal.meta("startSeq") === null) {
        // Where nothing was ever closed there is no beginning.
        world.check(10, this.#watch.beginnings.size === 0, () => `${spec.name} never began`);
        continue;
      }
      judgeBeginning(machine, spec, journal, this.#watch);
      if (spec.broker === "venue") {
        // One that still waits for the venue's account, or has only just begun, knows no clock and sends nothing.
        const isUp = facts.life !== null && this.#up.has(facts.life);
        const calmSinceMs = isUp ? this.#calmSinceMs : Number.POSITIVE_INFINITY;
        new AccountJudge(machine, spec, journal, calmSinceMs).judge();
      }
      new RunnerJudge(machine, spec, journal).judge(this.#dueSeq);
      // What the runner says of itself comes last.
      this.#told.judge(spec, facts);
      const { state, reason } = facts.runner?.status() ?? { state: "gone", reason: null };
      world.check(5, state === "running", () => `${spec.name} is ${state} at the end: ${reason}`);
    }
    const { scanner } = world.scenario;
    if (!scanner) return;
    judgeScanner(machine, scanner, this.#memory, this.#watch, this.#dueSeq);
  }

  #judgeMarket(): void {
    const { world, machine } = this;
    const { core, life } = this.#marketFacts;
    const through = machine.truth.state.closedThrough ?? 0;
    const due = Math.floor((machine.market.nowMs - CLOSE_LAG_MS * world.scenario.speed) / MINUTE) * MINUTE - MINUTE;
    // A symbol without a price has no rows: nothing can be said of a market that did not trade since it is heard.
    const traded = machine.truth.rows.length > 0 || machine.market.tradedBetween(this.#calmSinceMs + MINUTE, due);
    world.check(10, through >= due || !traded, () => `the market is closed through ${through}, due was ${due}`);
    // Those that came since are on their way yet.
    const corrections = core?.revisions ?? { waiting: 0, stored: 0, dropped: 0 };
    const dueCorrections = core === this.#dueCorrections.core ? this.#dueCorrections.offered : 0;
    world.check(
      3,
      !life?.alive || (corrections.stored >= dueCorrections && corrections.dropped === 0),
      () => `corrections are not stored: ${JSON.stringify(corrections)}`,
    );
  }

  /** Every life dies with its run, so that nothing of it is left in the process. */
  end(): void {
    for (const supervisor of this.#supervisors()) supervisor.kill("the end of the run");
    drainMicrotasks();
    for (const supervisor of this.#supervisors()) supervisor.release();
    drainMicrotasks();
    this.machine.sqlite.close();
  }

  #supervisors(): Supervisor[] {
    return [
      this.#market,
      ...this.#runners.map(({ supervisor }) => supervisor),
      ...(this.#scanner ? [this.#scanner] : []),
      ...(this.#bridge ? [this.#bridge] : []),
    ];
  }

  /** Heartbeats that each living consumer has taken in; a runner that went on after trouble counts anew. */
  #hearing(): ReadonlyMap<Life, Hearing> {
    const heard = new Map<Life, Hearing>();
    const note = (life: Life | null, counters: Readonly<Record<string, number>> | undefined) => {
      const count = counters?.["heartbeats.total"];
      if (life?.alive && count !== undefined) heard.set(life, { count, lives: counters?.["lives.total"] ?? 1 });
    };
    for (const { facts } of this.#runners) note(facts.life, facts.runner?.counters());
    note(this.#memory.life, this.#memory.provider?.counters());
    return heard;
  }

  /** A publisher's new life is heard as such, however long the old one had counted. */
  #judgeHearing(before: ReadonlyMap<Life, Hearing>): void {
    for (const [life, { count, lives }] of this.#hearing()) {
      const was = before.get(life);
      const hears = was === undefined || was.lives !== lives || count > was.count;
      this.world.check(10, hears, () => `${life.name} has heard no heartbeat for ${HEARING_MS} ms (${was?.count})`);
    }
  }

  #checkGuard(): void {
    for (const role of ["runner", "scanner", "bridge"] as const) {
      try {
        grantWriter(role);
        this.world.violate(1, `a ${role} was given leave to write the store`);
      } catch {
        // As it must be.
      }
    }
  }

  /** Invariant 5 at the venue's door: what arrives was journaled as sent before, and within the bound. */
  #watchOrders(spec: RunnerSpec): void {
    const { world, machine } = this;
    machine.account(spec.name).onArrival.push((order) => {
      const journal = journalOf(machine, spec.name);
      const status = journal?.status(order.clientOrderId) ?? null;
      const was = status ?? "not there";
      world.check(
        5,
        status !== null && status !== "pending",
        () => `${spec.name}: order ${order.clientOrderId} arrived, and in the journal it is ${was}`,
      );
      const inFlight = journal?.activeCount(order.symbol) ?? 0;
      world.check(
        8,
        inFlight <= spec.maxInFlight,
        () => `${spec.name}: ${inFlight} orders of ${order.symbol} in flight, bound ${spec.maxInFlight}`,
      );
    });
  }
}
