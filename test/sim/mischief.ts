import type { Seeded } from "../provider/sim/seeded.ts";
import type { StoreWatch } from "./checks-store.ts";
import type { Machine } from "./machine.ts";
import type { Supervisor } from "./supervisor.ts";
import type { World } from "./world.ts";

const MANIFEST = "/data/published/manifest.json";
/** Wall ms between two looks for something to hurt. */
const LOOK_MS = 500;
const DAMAGES = ["vanishes", "is torn", "is flipped"] as const;

/** What befalls the machine as a whole: its disk, its power, its clock, and an operator with a halt switch. */
export class Mischief {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #watch: StoreWatch;
  readonly #supervisors: readonly Supervisor[];
  readonly #chance: Seeded;

  constructor(machine: Machine, watch: StoreWatch, supervisors: readonly Supervisor[]) {
    this.#world = machine.world;
    this.#machine = machine;
    this.#watch = watch;
    this.#supervisors = supervisors;
    this.#chance = machine.world.chance("mischief");
  }

  begin(): void {
    const look = () => {
      if (!this.#world.isHurting) return;
      this.#hurtDisk();
      this.#hurtMachine();
      this.#world.time.after(LOOK_MS, look);
    };
    look();
  }

  #hurtDisk(): void {
    const { disk } = this.#machine;
    if (this.#comes("store.disk-full", 0.2)) {
      disk.fullUntilMs = this.#world.nowMs + this.#chance.below(4000);
      this.#world.note("world", `the disk is full until ${disk.fullUntilMs}`);
    }
    if (this.#comes("store.segment-lost", 0.25)) this.#hurtSegment("vanishes");
    if (this.#comes("store.segment-torn", 0.25)) this.#hurtSegment("is torn");
    if (this.#comes("store.segment-flipped", 0.25)) this.#hurtSegment("is flipped");
    if (this.#comes("store.manifest-hurt", 0.2)) this.#hurtManifest();
  }

  #hurtMachine(): void {
    if (this.#comes("power.loss", 0.08)) this.#losePower();
    if (this.#comes("clock.jump", 0.2)) {
      this.#world.wallOffsetMs += (this.#chance.next() - 0.5) * 7_200_000;
      this.#world.note("world", "the wall clock jumps");
    }
    const runners = this.#world.scenario.runners;
    const runner = runners[this.#chance.below(Math.max(1, runners.length))];
    if (!runner || !this.#comes("runner.halt", 0.15)) return;
    this.#world.note("world", `${runner.name} is halted`);
    const lift = this.#machine.disk.halt(runner.name);
    this.#world.time.after(this.#chance.below(4000), lift);
  }

  /** Damage to what is published, one thing at a time. */
  decay(): void {
    if (this.#chance.chance(0.25)) this.#hurtManifest();
    else this.#hurtSegment(DAMAGES[this.#chance.below(DAMAGES.length)] ?? "vanishes");
  }

  #hurtSegment(damage: (typeof DAMAGES)[number]): void {
    const { disk } = this.#machine;
    const paths = [...disk.files.keys()].filter((path) => path.endsWith(".parquet"));
    const path = paths[Math.floor(this.#chance.next() * paths.length)];
    const file = path === undefined ? undefined : disk.files.get(path);
    if (path === undefined || !file) return;
    this.#world.note("world", `${path} ${damage}`);
    this.#watch.hurt.add(nameOf(path));
    if (damage === "is torn") file.isTorn = true;
    else if (damage === "is flipped") disk.flip(path);
    else disk.files.delete(path);
  }

  #hurtManifest(): void {
    const { files } = this.#machine.disk;
    const manifest = files.get(MANIFEST);
    if (!manifest) return;
    const text = manifest.text.slice(0, this.#chance.below(manifest.text.length));
    const gone = this.#chance.chance(0.4);
    this.#world.note("world", gone ? "the manifest vanishes" : "the manifest is cut short");
    if (gone) files.delete(MANIFEST);
    else files.set(MANIFEST, { ...manifest, text, bytes: text.length });
  }

  #losePower(): void {
    this.#world.note("world", "the power fails");
    for (const supervisor of this.#supervisors) supervisor.kill("the power failed");
    const { disk } = this.#machine;
    const before = new Map(disk.files);
    disk.losePower();
    for (const [path, file] of before)
      if (disk.files.get(path) !== file || file.isTorn) this.#watch.hurt.add(nameOf(path));
  }

  #comes(fault: keyof World["scenario"]["rates"], most: number): boolean {
    return this.#chance.chance(this.#world.scenario.rates[fault] * most);
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
