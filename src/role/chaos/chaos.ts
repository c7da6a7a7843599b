import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import { messageOf } from "../../core/errors.ts";
import { SIM_KEYS } from "../../feed/sim/venue/signed-request.ts";
import { declareRole } from "../../store/guard.ts";
import { storeLayout } from "../../store/layout.ts";
import { readManifest } from "../../store/manifest.ts";
import { useEmbeddedLibzmq } from "../lifecycle/embedded-libzmq.ts";
import { stopSignal } from "../lifecycle/stop-signal.ts";
import type { Exit } from "./actor.ts";
import { CONSUMERS, castOf, LIVE_RUNNER, RUNNERS, type Runner, type Stage, SYMBOLS, strategyText } from "./cast.ts";
import { Disk, possibleMounts } from "./disk.ts";
import { writeMark } from "./earlier.ts";
import type { CaughtUp, Evidence, Verdict } from "./evidence.ts";
import { claimGrounds, type Grounds, removeTree } from "./folder.ts";
import { filesLeft, processesLeft, publishedRows, runnerEvidence, truthOf, verifyData } from "./gather.ts";
import { Janitor } from "./janitor.ts";
import { judgeMarket } from "./judge-market.ts";
import { judgeNodes } from "./judge-nodes.ts";
import { judgeTrading } from "./judge-trading.ts";
import { judgeVenue } from "./judge-venue.ts";
import { mountsOf } from "./mounts.ts";
import { planOf } from "./plan.ts";
import { Play } from "./play.ts";
import { freePorts } from "./ports.ts";
import { type ChaosReport, reportText } from "./report.ts";
import { SegmentEar } from "./segment-ear.ts";
import { haltTrading, settle, standStill } from "./settle.ts";
import { readVenueBooks } from "./venue-books.ts";
import type { ChaosWish } from "./wish.ts";

export interface ChaosOptions extends ChaosWish {
  readonly data: string | undefined;
  readonly json: boolean;
}

/** sysexits.h: what was found is at fault. */
const EXIT_BROKEN = 65;
/** Stopped before there was a verdict. */
const EXIT_NO_VERDICT = 75;
/** The first candles of every symbol are there within this, or nothing is worth hurting. */
const BEGIN_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 8000;

/**
 * Plays a whole market on the simulated exchange, hurts it by a seeded schedule, lets everything back, and proves that nothing was
 * lost, doubled or left. Resolves to 0 where every invariant holds, 65 where one does not, 75 where it was stopped before the
 * verdict. Throws FabricError "refused" for a data folder that is not chaos's own.
 */
export async function runChaos(options: ChaosOptions): Promise<number> {
  declareRole("command");
  useEmbeddedLibzmq();
  const grounds = claimGrounds(options.data, options.seed);
  using stop = stopSignal();
  let keep = false;
  try {
    say(`seed ${options.seed}, ${Math.round(options.forMs / 1000)} s of faults, data in ${grounds.data}`);
    const outcome = await new Chaos(options, grounds).run(stop.signal);
    if (outcome === null) {
      say(`stopped (${String(stop.signal.reason)}): no verdict`);
      return EXIT_NO_VERDICT;
    }
    keep = !outcome.ok;
    process.stdout.write(options.json ? `${JSON.stringify(outcome, null, 2)}\n` : reportText(outcome));
    return outcome.ok ? 0 : EXIT_BROKEN;
  } finally {
    if (grounds.temporary && keep) say(`the evidence is kept in ${grounds.data}`);
    else removeTree(grounds.work);
  }
}

class Chaos {
  readonly #options: ChaosOptions;
  readonly #grounds: Grounds;
  readonly #skipped: string[] = [];
  readonly #janitor: Janitor;
  #disk: Disk | null = null;
  #play: Play | null = null;
  #segments: SegmentEar | null = null;

  constructor(options: ChaosOptions, grounds: Grounds) {
    this.#options = options;
    this.#grounds = grounds;
    this.#janitor = new Janitor({
      work: grounds.work,
      device: grounds.device,
      sockets: grounds.sockets,
      mounts: possibleMounts(grounds.data),
    });
  }

  /** Null where it was stopped before there was a verdict. Whatever happens, nothing of it is left. */
  async run(stop: AbortSignal): Promise<ChaosReport | null> {
    let report: ChaosReport | null = null;
    try {
      const stage = await this.#prepare();
      report = await this.#perform(stage, stop);
      return report;
    } finally {
      await this.#play?.close();
      await this.#segments?.close();
      if (report?.ok !== true) this.#keepWords();
      this.#markStore();
      const problem = this.#disk?.close(report !== null && !(this.#grounds.temporary && report.ok));
      if (problem) say(problem);
      await this.#janitor.dismiss();
      if (this.#grounds.sockets !== null) removeTree(this.#grounds.sockets);
    }
  }

  async #prepare(): Promise<Stage> {
    const { data, work } = this.#grounds;
    const { seed, disk } = this.#options;
    if (disk.size > 0) {
      const mounted = Disk.mount(data, this.#grounds.device);
      if (typeof mounted === "string") this.#skip(mounted);
      else {
        this.#disk = mounted;
        writeMark(data, { chaos: true, seed, storeId: null });
      }
    }
    const strategies = new Map<Runner, string>();
    for (const runner of RUNNERS) {
      const path = join(work, `${runner}.ts`);
      writeFileSync(path, strategyText(runner));
      strategies.set(runner, path);
    }
    const keys = join(work, "keys");
    writeFileSync(keys, `${SIM_KEYS.apiKey}\n${SIM_KEYS.secret}\n`, { mode: 0o600 });
    return { data, work, seed, ports: freePorts(), strategies, keys };
  }

  async #perform(stage: Stage, stop: AbortSignal): Promise<ChaosReport | null> {
    const play = await Play.open(this.#options, stage, this.#disk);
    this.#play = play;
    this.#segments = new SegmentEar(stage.data);
    play.startAll();
    await this.#begin(play, stop);
    if (stop.aborted) return null;
    say("the market runs; hurting it");
    await play.perform(planOf(this.#options, castOf(stage)), stop);
    if (stop.aborted) return null;
    say("the faults have ended; waiting for everything to catch up");
    play.letBack();
    const caughtUp = await settle(play, stage.data, stop);
    if (stop.aborted) return null;
    return this.#finish(play, stage, caughtUp, stop);
  }

  /** Every symbol has live candles and both runners have decided on some. */
  async #begin(play: Play, stop: AbortSignal): Promise<void> {
    const startMs = platform.clock.monotonicMs();
    const begun = () =>
      RUNNERS.every(
        (name) => (play.ear.rails.get(name) ?? []).filter(({ delivered }) => delivered > 0).length === SYMBOLS.length,
      );
    while (!begun() && !stop.aborted && platform.clock.monotonicMs() - startMs < BEGIN_WITHIN_MS)
      await play.pause(50, stop);
    this.#markStore();
  }

  async #finish(play: Play, stage: Stage, caughtUp: CaughtUp, stop: AbortSignal): Promise<ChaosReport | null> {
    const exits: Exit[] = [];
    // However the play went: each of these was tried at least once.
    for (const name of ["market-data", "busy", LIVE_RUNNER]) {
      const actor = play.actor(name);
      if (actor?.pid) await play.trySecond(actor);
    }
    await haltTrading(play, stage.data, stop);
    play.end();
    exits.push(...(await this.#stop(play, ["sim"])));
    await standStill(play, stage.data, stop);
    const rails = CONSUMERS.map((node) => ({ node, rails: play.ear.rails.get(node) ?? [] }));
    const positions = new Map(RUNNERS.map((name) => [name, play.ear.positions.get(name)?.quantities ?? null]));
    exits.push(...(await this.#stop(play, [...CONSUMERS, "market-data", "bridge"])));
    await this.#segments?.close();
    if (stop.aborted) return null;
    say("stopped; looking at what there is");
    // Before anything is looked at: a read-only look at a journal leaves SQLite's log files beside it.
    const leftBehind = [stage.data, this.#grounds.sockets ?? []].flat().flatMap(filesLeft);
    const verify = await verifyData(stage.data);
    const { rows, gaps } = await publishedRows(stage.data);
    const runners = [];
    for (const runner of RUNNERS)
      runners.push(await runnerEvidence(runner, stage, rows, positions.get(runner) ?? null));
    const recovery = play.recovery.times();
    await play.close();
    leftBehind.push(...processesLeft(stage.work));
    leftBehind.push(...[this.#disk?.close(true) ?? []].flat());
    leftBehind.push(...mountsOf(this.#grounds.device).map((mount) => `mount ${mount}`));
    const evidence: Evidence = {
      symbols: SYMBOLS,
      rows,
      gaps,
      truth: truthOf(stage.seed, rows),
      verify,
      runners,
      venue: readVenueBooks(stage.data),
      rails,
      wire: play.ear.candles,
      segments: this.#segments?.rows ?? [],
      play: play.facts,
      caughtUp,
      stops: exits,
      leftBehind,
    };
    return this.#report(evidence, recovery);
  }

  async #stop(play: Play, names: readonly string[]): Promise<readonly Exit[]> {
    const actors = play.actors.filter(({ name, pid }) => names.includes(name) && pid !== null);
    const limit = platform.timers.after(STOP_WITHIN_MS, () => {
      for (const actor of actors) actor.kill();
    });
    const exits: Exit[] = [];
    for (const actor of actors) {
      const exit = await actor.stop();
      if (exit) exits.push(exit);
    }
    limit.cancel();
    return exits;
  }

  #report(evidence: Evidence, recovery: ChaosReport["recovery"]): ChaosReport {
    const invariants: readonly Verdict[] = [
      ...judgeMarket(evidence),
      ...judgeTrading(evidence),
      ...judgeVenue(evidence),
      ...judgeNodes(evidence),
    ];
    const { play, caughtUp, rows, runners } = evidence;
    return {
      ok: invariants.every(({ ok }) => ok),
      seed: this.#options.seed,
      kills: { ...play.kills },
      candles: rows.length,
      orders: runners.reduce((sum, { found }) => sum + found.intents.length, 0),
      invariants,
      faults: play.faults,
      recovery,
      caughtUpMs: caughtUp.tookMs,
      skipped: [...this.#skipped, ...play.skipped],
      forMs: this.#options.forMs,
      data: this.#grounds.temporary ? null : this.#grounds.data,
    };
  }

  /** What the nodes said, for whoever looks into a run that failed. */
  #keepWords(): void {
    if (this.#play === null) return;
    const text = this.#play.actors
      .map(({ name, lines }) => lines.map((line) => `${name} | ${line}\n`).join(""))
      .join("");
    try {
      writeFileSync(join(this.#grounds.data, "chaos.log"), text);
    } catch (error) {
      say(`cannot keep what the nodes said: ${messageOf(error)}`);
    }
  }

  /** Says which store is chaos's, so that a later run knows its own. */
  #markStore(): void {
    const { data } = this.#grounds;
    try {
      const manifest = readManifest(storeLayout(data).manifest, platform.files);
      if (manifest) writeMark(data, { chaos: true, seed: this.#options.seed, storeId: manifest.storeId });
    } catch (error) {
      say(`cannot mark the store as chaos's: ${messageOf(error)}`);
    }
  }

  #skip(what: string): void {
    this.#skipped.push(what);
    say(`SKIPPED: the full disk and read-only folders: ${what}`);
  }
}

function say(line: string): void {
  process.stderr.write(`chaos | ${line}\n`);
}
