import type { SubCounters } from "./contract.ts";

/** Order of the counters in shared memory. */
const COUNTERS = [
  "received",
  "receivedBytes",
  "delivered",
  "dropped",
  "conflated",
  "oversize",
  "empty",
  "malformed",
  "statusesLost",
] as const satisfies readonly (keyof SubCounters)[];

const FLAG = { framesDone: 0, statusesDone: 1, wakeWanted: 2, stop: 3 } as const;
const FLAGS_BYTES = 16;

/**
 * What the receiving thread and the consumer's thread both see. Counters are written by the receiver alone, each an aligned
 * 64-bit number, which the supported processors store in one piece.
 */
export class ReceiveShared {
  readonly memory: SharedArrayBuffer;
  readonly #flags: Int32Array;
  readonly #counters: Float64Array;

  constructor(memory = new SharedArrayBuffer(FLAGS_BYTES + 8 * COUNTERS.length)) {
    this.memory = memory;
    this.#flags = new Int32Array(memory, 0, FLAGS_BYTES / 4);
    this.#counters = new Float64Array(memory, FLAGS_BYTES);
  }

  /** Receiver: adds to a counter. */
  count(name: keyof SubCounters, by = 1): void {
    const at = COUNTERS.indexOf(name);
    this.#counters[at] = (this.#counters[at] ?? 0) + by;
  }

  counters(): SubCounters {
    const pairs = COUNTERS.map((name, at) => [name, this.#counters[at] ?? 0] as const);
    return Object.fromEntries(pairs) as unknown as SubCounters;
  }

  /** Consumer: done with a batch of frames. True: the receiver sleeps and waits for this, wake it. */
  framesDone(): boolean {
    return this.#done(FLAG.framesDone);
  }

  /** Consumer: done with a post of statuses. True as above. */
  statusesDone(): boolean {
    return this.#done(FLAG.statusesDone);
  }

  /** Receiver: how many batches have been acknowledged since open, modulo 2^32. */
  get framesDoneCount(): number {
    return Atomics.load(this.#flags, FLAG.framesDone);
  }

  get statusesDoneCount(): number {
    return Atomics.load(this.#flags, FLAG.statusesDone);
  }

  /** Receiver: asks to be woken at the next acknowledgement. Look at the counts again after this, before sleeping. */
  wantWake(): void {
    Atomics.store(this.#flags, FLAG.wakeWanted, 1);
  }

  /** Consumer: the receiver is to end. */
  stop(): void {
    Atomics.store(this.#flags, FLAG.stop, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#flags, FLAG.stop) === 1;
  }

  #done(flag: number): boolean {
    Atomics.add(this.#flags, flag, 1);
    return Atomics.exchange(this.#flags, FLAG.wakeWanted, 0) === 1;
  }
}
