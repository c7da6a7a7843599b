import fc from "fast-check";
import type { StoredCandle } from "../../../src/core/candle.ts";
import type { DeliveryCursor, DeliveryEvent } from "../../../src/core/delivery.ts";
import type { Log } from "../../../src/core/env.ts";
import { MINUTE_MS } from "../../../src/core/time.ts";
import { DualRailProvider } from "../../../src/provider/dual-rail-provider.ts";
import { LossyWire } from "./lossy-wire.ts";
import { FIRST_MINUTE, MarketNode } from "./market-node.ts";
import { ModelStore, modelReader } from "./model-store.ts";
import { Seeded } from "./seeded.ts";
import { VirtualTime } from "./virtual-time.ts";

/** One run's world: how bad each thing is. Everything else follows from the seed. */
export interface Script {
  readonly seed: number;
  readonly minutes: number;
  readonly symbolCount: number;
  /** Rows of history that a fresh store takes before its first close. */
  readonly historyMinutes: number;
  readonly followsAll: boolean;
  readonly includePartial: boolean;
  readonly dropChance: number;
  readonly repeatChance: number;
  readonly cutChance: number;
  readonly maxDelayMs: number;
  readonly maxSealDelayMs: number;
  readonly maxReadMs: number;
  readonly readFailChance: number;
  readonly missingChance: number;
  readonly partialChance: number;
  readonly oddRowChance: number;
  readonly publisherDeathChance: number;
  readonly consumerDeathChance: number;
  readonly maxConsumerMs: number;
  readonly pageRows: number;
  readonly speed: number;
  /** Market-data starts this many minutes after the consumer. */
  readonly marketLateMinutes: number;
}

const chance = (most: number) => fc.oneof(fc.constant(0), fc.double({ min: 0, max: most, noNaN: true }));

export const scripts: fc.Arbitrary<Script> = fc.record({
  seed: fc.integer(),
  minutes: fc.integer({ min: 3, max: 40 }),
  symbolCount: fc.integer({ min: 1, max: 4 }),
  historyMinutes: fc.integer({ min: 0, max: 6 }),
  followsAll: fc.boolean(),
  includePartial: fc.boolean(),
  dropChance: fc.oneof(chance(0.5), fc.constant(1)),
  repeatChance: chance(0.5),
  cutChance: chance(0.2),
  maxDelayMs: fc.constantFrom(0, 5, 300, 2_500),
  maxSealDelayMs: fc.constantFrom(0, 3, 400, 3_000),
  maxReadMs: fc.constantFrom(0, 2, 50, 700),
  readFailChance: chance(0.5),
  missingChance: chance(0.3),
  partialChance: chance(0.3),
  oddRowChance: chance(0.2),
  publisherDeathChance: chance(0.1),
  consumerDeathChance: chance(0.1),
  maxConsumerMs: fc.constantFrom(0, 0, 20, 900),
  pageRows: fc.constantFrom(1, 3, 1_000),
  speed: fc.constantFrom(60, 600),
  marketLateMinutes: fc.constantFrom(0, 0, 2),
});

export interface Played {
  readonly rows: readonly StoredCandle[];
  readonly followed: readonly string[];
  /** What the consumer took in over all its lives, per symbol. */
  readonly taken: ReadonlyMap<string, readonly DeliveryEvent[]>;
  /** The store's row after which the consumer's time began; null where it never did. */
  readonly startSeq: number | null;
  readonly cursor: DeliveryCursor | null;
  readonly counters: Readonly<Record<string, number>>;
  readonly timersLeft: number;
  readonly lives: number;
}

const SYMBOLS = ["AAA", "BB", "CCCC", "D"];
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Plays a script to its end, then lets the world rest until a consumer must have caught up. */
export async function play(script: Script): Promise<Played> {
  const world = new World(script);
  await world.play();
  return world.played();
}

/** Thrown by the consumer where the script kills it between getting an event and keeping it. */
class Killed extends Error {}

class World {
  readonly #script: Script;
  readonly #random: Seeded;
  readonly #time = new VirtualTime();
  readonly #store = new ModelStore("store-1");
  readonly #wire: LossyWire;
  readonly #symbols: readonly string[];
  readonly #followed: readonly string[];
  readonly #taken = new Map<string, DeliveryEvent[]>();
  #provider: DualRailProvider | null = null;
  #cursor: DeliveryCursor | null = null;
  #startSeq: number | null = null;
  #counters: Readonly<Record<string, number>> = {};
  #lives = 0;
  #isResting = false;
  #failure: unknown = null;
  #marketAlive = true;

  constructor(script: Script) {
    const random = new Seeded(script.seed);
    this.#script = script;
    this.#random = random;
    this.#symbols = SYMBOLS.slice(0, script.symbolCount);
    this.#followed = script.followsAll ? this.#symbols : this.#symbols.slice(0, Math.ceil(script.symbolCount / 2));
    this.#wire = new LossyWire(this.#time, {
      drops: () => random.chance(script.dropChance),
      repeats: () => random.chance(script.repeatChance),
      delayMs: () => random.below(script.maxDelayMs + 1),
      joinMs: () => random.below(200),
    });
  }

  async play(): Promise<void> {
    const { minutes, marketLateMinutes, speed, consumerDeathChance } = this.#script;
    const minuteMs = MINUTE_MS / speed;
    this.#startConsumer();
    await this.#time.advance(marketLateMinutes * minuteMs);
    const node = new MarketNode(this.#time, this.#store, this.#wire, speed);
    this.#takeHistory(node);
    this.#time.every(1_000, () => {
      if (this.#marketAlive) node.heartbeat();
    });
    for (let minute = 0; minute < minutes; minute++) {
      this.#closeMinute(node, FIRST_MINUTE + minute * MINUTE_MS);
      await this.#time.advance(minuteMs * this.#random.next());
      if (this.#random.chance(consumerDeathChance)) await this.#stopConsumer();
      await this.#time.advance(minuteMs * this.#random.next());
      if (!this.#provider) this.#startConsumer();
    }
    this.#isResting = true;
    this.#marketAlive = true;
    this.#store.seal();
    for (let second = 0; second < 40; second++) {
      await this.#time.advance(1_000);
      if (!this.#provider) this.#startConsumer();
    }
    await this.#stopConsumer();
    await this.#time.advance(5_000);
    if (this.#failure) throw this.#failure;
  }

  played(): Played {
    return {
      rows: this.#store.rows,
      followed: this.#followed,
      taken: this.#taken,
      startSeq: this.#startSeq,
      cursor: this.#cursor,
      counters: this.#counters,
      timersLeft: this.#time.pending,
      lives: this.#lives,
    };
  }

  #takeHistory(node: MarketNode): void {
    for (let back = this.#script.historyMinutes; back > 0; back--) {
      for (const symbol of this.#symbols) node.commit(symbol, FIRST_MINUTE - back * MINUTE_MS, "backfilled");
      this.#store.seal();
    }
  }

  /** Commit, publish, seal later; or die after the commit or the publishing, and seal on coming back. */
  #closeMinute(node: MarketNode, openTime: number): void {
    const { script, random } = { script: this.#script, random: this.#random };
    if (!this.#marketAlive) {
      this.#marketAlive = true;
      node.restart();
      this.#store.seal();
    }
    this.#wire.isCut = random.chance(script.cutChance);
    const rows: StoredCandle[] = [];
    for (const symbol of this.#symbols) {
      if (random.chance(script.oddRowChance)) rows.push(this.#oddRow(node, symbol, openTime));
      if (random.chance(script.missingChance)) continue;
      rows.push(node.commit(symbol, openTime, random.chance(script.partialChance) ? "partial" : "complete"));
    }
    this.#store.closedThrough = openTime;
    const dies = random.chance(script.publisherDeathChance);
    const unpublished = dies ? random.below(rows.length + 1) : 0;
    for (const row of rows.slice(0, rows.length - unpublished)) node.publish(row);
    this.#marketAlive = !dies;
    if (dies) return;
    const state = this.#store.state();
    this.#time.after(random.below(script.maxSealDelayMs + 1), () => this.#store.seal(state));
  }

  /** An imported or a late row: in the store, and no part of the delivery. */
  #oddRow(node: MarketNode, symbol: string, openTime: number): StoredCandle {
    const isImport = this.#random.chance(0.5) || !this.#store.rows.some((row) => row.symbol === symbol);
    const back = 1 + this.#random.below(5);
    if (isImport) return node.commit(symbol, openTime - back * MINUTE_MS, "imported");
    const known = this.#store.rows.filter((row) => row.symbol === symbol && row.provenance !== "imported");
    const late = known[this.#random.below(known.length)];
    return late ? node.commit(symbol, late.openTime, "backfilled") : node.commit(symbol, openTime, "imported");
  }

  #startConsumer(): void {
    const { script, random } = { script: this.#script, random: this.#random };
    const life = ++this.#lives;
    const startsNew = this.#cursor === null;
    if (startsNew) this.#startSeq = null;
    const reader = modelReader(this.#store, this.#time, {
      delayMs: () => (this.#isResting ? 1 : random.below(script.maxReadMs + 1)),
      fails: () => !this.#isResting && random.chance(script.readFailChance),
      readsEarly: () => random.chance(0.5),
      onView: (view) => {
        if (startsNew && life === this.#lives && view?.closedThrough != null) this.#startSeq ??= view.throughSeq;
      },
    });
    const market = this.#wire.subscription();
    const provider = new DualRailProvider(
      { reader, market, clock: this.#time, timers: this.#time, log: silent },
      {
        symbols: script.followsAll ? "all" : this.#followed,
        cursor: this.#cursor,
        includePartial: script.includePartial,
        pageRows: script.pageRows,
      },
    );
    this.#provider = provider;
    const running = provider.run((event, cursor) => this.#take(event, cursor));
    running.catch((error: unknown) => {
      if (!(error instanceof Killed)) this.#failure = error;
      if (this.#provider === provider) this.#provider = null;
    });
  }

  async #take(event: DeliveryEvent, cursor: DeliveryCursor): Promise<void> {
    const life = this.#provider;
    const { script, random } = { script: this.#script, random: this.#random };
    if (script.maxConsumerMs > 0 && !this.#isResting) await this.#time.sleep(random.below(script.maxConsumerMs));
    // Stopped while it worked on the event: what it had not kept does not count.
    if (this.#provider !== life) return;
    if (!this.#isResting && random.chance(script.consumerDeathChance / 3))
      throw new Killed("before the event was kept");
    const symbol = event.type === "candle" ? event.candle.symbol : event.symbol;
    const events = this.#taken.get(symbol) ?? [];
    this.#taken.set(symbol, [...events, event]);
    this.#cursor = {
      ...cursor,
      storeId: cursor.storeId,
      throughSeq: cursor.throughSeq,
      symbols: new Map(cursor.symbols),
    };
  }

  async #stopConsumer(): Promise<void> {
    const provider = this.#provider;
    this.#provider = null;
    if (!provider) return;
    this.#counters = provider.counters();
    await provider.close();
  }
}
