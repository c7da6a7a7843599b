import { platform } from "#platform";
import type { Timer } from "../../core/env.ts";
import type { Disk } from "./disk.ts";
import type { Deed } from "./plan.ts";

/** A start that failed this soon after the disk was in trouble failed for it. */
const ECHO_MS = 3000;
const AGAIN_MS = 250;

/** Fills the disk, makes folders of it read-only, and takes both back. Without a disk of its own it does nothing. */
export class DiskHand {
  readonly #disk: Disk | null;
  readonly #done: (what: string) => void;
  readonly #skipped: (what: string) => void;
  #timer: Timer | null = null;
  #calmedMs = Number.NEGATIVE_INFINITY;

  constructor(disk: Disk | null, done: (what: string) => void, skipped: (what: string) => void) {
    this.#disk = disk;
    this.#done = done;
    this.#skipped = skipped;
  }

  /** The disk cannot be written just now, wholly or in part. */
  get troubled(): boolean {
    return this.#disk?.troubled === true;
  }

  /** It could not be a moment ago. */
  get troubledRecently(): boolean {
    return this.troubled || platform.clock.monotonicMs() - this.#calmedMs < ECHO_MS;
  }

  hurt(deed: Extract<Deed, { kind: "disk" }>): void {
    const disk = this.#disk;
    if (disk === null || disk.troubled) return;
    if (deed.fault === "full") {
      disk.fill();
      this.#done("disk.full");
    } else {
      const refusal = disk.guard(deed.folder);
      if (refusal !== null) {
        this.#skipped(`a read-only ${deed.folder}: ${refusal}`);
        return;
      }
      this.#done(`disk.read-only.${deed.folder}`);
    }
    this.#timer = platform.timers.after(deed.forMs, () => this.calm());
  }

  /** What could not be taken back now is tried again until it is. */
  calm(): void {
    this.#timer?.cancel();
    if (!this.troubled) return;
    this.#disk?.free();
    this.#disk?.unguard();
    this.#calmedMs = platform.clock.monotonicMs();
    if (this.troubled) this.#timer = platform.timers.after(AGAIN_MS, () => this.calm());
  }

  /** Takes back what can be; the disk's own end is not ours. */
  close(): void {
    this.calm();
    this.#timer?.cancel();
  }
}
