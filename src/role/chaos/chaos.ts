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
import type { Beginning, CaughtUp, Evidence } from "./evidence.ts";
import { claimGrounds, type Grounds, removeTree } from "./folder.ts";
import { verifyData } from "./gather.ts";
import { gatherEvidence } from "./gather-evidence.ts";
import { Janitor } from "./janitor.ts";
import { readJournal } from "./journals.ts";
import { judgeAll } from "./judge.ts";
import { planOf, wishedOf } from "./plan.ts";
import { Play } from "./play.ts";
import { freePorts } from "./ports.ts";
import { type ChaosReport, reportText } from "./report.ts";
import { SegmentEar } from "./segment-ear.ts";
import { haltTrading, settle, standStill } from "./settle.ts";
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
const BEGIN_WITHIN_MS = 60_000;
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
  // Whatever goes wrong: the evidence of it stays.
  let keep = true;
  try {
    say(`seed ${options.seed}, ${Math.round(options.forMs / 1000)} s of faults, data in ${grounds.data}`);
    const outcome = await new Chaos(options, grounds).run(stop.signal);
    if (outcome === null) {
      keep = false;
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
  #wished: Evidence["wished"] = {};
  readonly #begun = new Map<string, Beginning>();

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

  /** Null where it was stopped before there was a verdict. Whatever happens, nothing of it is left but what its folder holds. */
  async run(stop: AbortSignal): Promise<ChaosReport | null> {
    let report: ChaosReport | null = null;
    try {
      const stage = await this.#prepare();
      report = await this.#perform(stage, stop);
      return report;
    } finally {
      const stopped = report === null && stop.aborted;
      await this.#attempt(() => this.#play?.close());
      await this.#attempt(() => this.#segments?.close());
      if (report?.ok !== true) this.#keepWords();
      this.#markStore();
      const problem = this.#disk?.close(!stopped && !(this.#grounds.temporary && report?.ok));
      if (problem) say(problem);
      await this.#janitor.dismiss();
      const { sockets } = this.#grounds;
      if (sockets !== null) await this.#attempt(() => removeTree(sockets));
    }
  }

  /** Of the things to be closed one may fail: the others are closed all the same. */
  async #attempt(close: () => void | Promise<void>): Promise<void> {
    try {
      await close();
    } catch (error) {
      say(messageOf(error));
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
    await this.#begin(play, stage, stop);
    if (stop.aborted) return null;
    say("the market runs; hurting it");
    const steps = planOf(this.#options, castOf(stage));
    this.#wished = wishedOf(steps, this.#disk !== null);
    await play.perform(steps, stop);
    if (stop.aborted) return null;
    say("the faults have ended; waiting for everything to catch up");
    play.letBack();
    const caughtUp = await settle(play, stage.data, stop);
    await play.lookAgain(stop);
    if (stop.aborted) return null;
    return this.#finish(play, stage, caughtUp, stop);
  }

  /** Every symbol has live candles and both runners have decided on some. */
  async #begin(play: Play, stage: Stage, stop: AbortSignal): Promise<void> {
    const startMs = platform.clock.monotonicMs();
    const begun = () =>
      RUNNERS.every(
        (name) => (play.ear.rails.get(name) ?? []).filter(({ delivered }) => delivered > 0).length === SYMBOLS.length,
      );
    while (!begun() && !stop.aborted && platform.clock.monotonicMs() - startMs < BEGIN_WITHIN_MS)
      await play.pause(50, stop);
    this.#markStore();
    for (const name of RUNNERS) {
      const begun = await this.#beginning(stage.data, name, play, stop);
      if (begun !== null) this.#begun.set(name, begun);
    }
  }

  /** Where a runner began, out of its journal; null where that cannot be had within a moment. */
  async #beginning(data: string, name: string, play: Play, stop: AbortSignal): Promise<Beginning | null> {
    for (let tries = 0; tries < 40 && !stop.aborted; tries++) {
      try {
        const { startSeq, anchors } = readJournal(data, name);
        if (anchors.length === SYMBOLS.length) return { startSeq, anchors };
      } catch {
        // Its writer is at it just now.
      }
      await play.pause(50, stop);
    }
    return null;
  }

  async #finish(play: Play, stage: Stage, caughtUp: CaughtUp, stop: AbortSignal): Promise<ChaosReport | null> {
    const exits: Exit[] = [];
    // However the play went: each of these was tried at least once.
    for (const name of ["market-data", "busy", LIVE_RUNNER]) {
      const actor = play.actor(name);
      if (actor?.living) await play.trySecond(actor);
    }
    await play.knock();
    // Where it cannot be halted, orders stay open, and that is judged.
    await this.#attempt(() => haltTrading(play, stage.data, stop));
    play.end();
    exits.push(...(await this.#stop(play, ["sim"])));
    await standStill(play, stage.data, stop);
    const rails = CONSUMERS.map((node) => ({ node, rails: play.ear.rails.get(node) ?? [] }));
    const positions = new Map(RUNNERS.map((name) => [name, play.ear.positions.get(name)?.quantities ?? null]));
    exits.push(...(await this.#stop(play, [...CONSUMERS, "market-data", "bridge"])));
    if (stop.aborted) return null;
    say("stopped; looking at what there is");
    const left = { grounds: this.#grounds, segments: this.#segments, disk: this.#disk, begun: this.#begun };
    const heard = { caughtUp, rails, positions, stops: exits, wished: this.#wished };
    return this.#report(await gatherEvidence({ ...left, play, stage, heard, verify: () => verifyData(stage.data) }));
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

  #report(evidence: Evidence): ChaosReport {
    const invariants = judgeAll(evidence);
    const { play, caughtUp, rows, runners } = evidence;
    return {
      ok: invariants.every(({ ok }) => ok),
      seed: this.#options.seed,
      kills: { ...play.kills },
      candles: rows.length,
      orders: runners.reduce((sum, { found }) => sum + found.intents.length, 0),
      invariants,
      faults: play.faults,
      recovery: this.#play?.recovery.times() ?? {},
      caughtUpMs: caughtUp.tookMs,
      skipped: [...this.#skipped, ...play.skipped, ...this.#unseen(evidence)],
      forMs: this.#options.forMs,
      data: this.#grounds.temporary ? null : this.#grounds.data,
    };
  }

  #unseen({ blind }: Evidence): readonly string[] {
    return blind === null ? [] : [`processes, what the bridge holds open and mounts: ${blind}`];
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
