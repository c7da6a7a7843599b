import type { Candle, FeedGap, StoredCandle } from "../../src/core/candle.ts";
import type { Files } from "../../src/core/env.ts";
import { FabricError } from "../../src/core/errors.ts";
import type { SymbolHead } from "../../src/store/contract.ts";
import { guardOpening, type Opening } from "../../src/store/guard.ts";
import type {
  Lane,
  Revision,
  SegmentContent,
  SegmentRange,
  Truth,
  TruthChange,
  TruthState,
} from "../../src/store/ports.ts";
import { isSame, UnsettledWrite } from "../../src/store/unsettled-write.ts";
import type { Life } from "./life.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { World } from "./world.ts";

const EMPTY: TruthState = { commitSeq: 0, revisionSeq: 0, gapSeq: 0, closedThrough: null, environment: null };
export const MARKET_PATH = "/data/market.duckdb";

/** What market.duckdb holds, and who has it open. It outlives every life. */
export class TruthFile {
  storeId = "";
  venue = "";
  state = EMPTY;
  readonly rows: StoredCandle[] = [];
  readonly revisions: Revision[] = [];
  readonly gaps: FeedGap[] = [];
  holder: Life | null = null;
  /** Told of every transaction the moment it is durable. */
  readonly onDurable: ((change: TruthChange, after: TruthState, life: Life) => void)[] = [];
}

/** The store's database as one market-data life has it: it may fail before a commit, or after the commit is durable. */
export class SimTruth implements Truth {
  readonly #file: TruthFile;
  readonly #disk: SimDisk;
  readonly #life: Life;
  readonly #files: Files;
  #opening: Opening | null = null;
  #state = EMPTY;
  readonly #unsettled = new UnsettledWrite();

  constructor(file: TruthFile, disk: SimDisk, life: Life, files: Files) {
    this.#file = file;
    this.#disk = disk;
    this.#life = life;
    this.#files = files;
    life.atDeath(() => this.#letGo());
  }

  get storeId(): string {
    return this.#file.storeId;
  }

  get state(): TruthState {
    return this.#state;
  }

  get #world(): World {
    return this.#life.world;
  }

  open(venue: string): Promise<void> {
    return this.#life.call("opening the truth", this.#life.chance.below(20), () => {
      this.#opening = guardOpening(MARKET_PATH, this.#files);
      if (this.#file.holder !== null) throw new FabricError("unavailable", "another process has the market store open");
      this.#file.holder = this.#life;
      if (this.#file.storeId === "") {
        this.#file.storeId = this.#life.random.uuid();
        this.#file.venue = venue;
      }
      this.#state = this.#file.state;
    });
  }

  async write(after: TruthState, change: TruthChange): Promise<void> {
    const { rates } = this.#world.scenario;
    const chance = this.#life.chance;
    const hurting = this.#world.isHurting;
    const slow = hurting && chance.chance(rates["store.slow"] * 0.2) ? chance.below(1500) : 1 + chance.below(6);
    const failsBefore = hurting && chance.chance(rates["store.commit-fails"] * 0.25);
    // Only a transaction that moves the state can be told apart from its absence.
    const tellable = !isSame(after, this.#state);
    const failsAfter = hurting && tellable && chance.chance(rates["store.commit-fails-durable"] * 0.2);
    await this.#life.call("a commit", slow, () => {
      if (this.#disk.isFull || failsBefore)
        throw new FabricError("io", "Cannot commit to the market store: no space left");
      const settlement = this.#unsettled.settle(this.#file.state, this.#state, after);
      if (settlement === "done") return;
      if (settlement === "rework") this.#state = this.#file.state;
      if (settlement !== "write")
        throw new FabricError("try-again", "a transaction that had failed turned out to be in the store");
      this.#apply(after, change);
      if (!failsAfter) return;
      this.#unsettled.doubt(after, change);
      throw new FabricError("io", "Cannot commit to the market store: the device went away");
    });
    this.#unsettled.settled();
    this.#state = after;
  }

  #apply(after: TruthState, change: TruthChange): void {
    const file = this.#file;
    file.rows.push(...change.rows);
    file.revisions.push(...change.revisions);
    file.gaps.push(...change.gaps);
    file.state = after;
    this.#life.note(`durable: rows to ${after.commitSeq}, closed through ${after.closedThrough}`);
    for (const told of file.onDurable) told(change, after, this.#life);
  }

  writeSegment(range: SegmentRange, lane: Lane): Promise<SegmentContent> {
    const delayMs = 1 + this.#life.chance.below(lane === "side" ? 40 : 6);
    return this.#life.call(`writing segment ${range.first}-${range.last}`, delayMs, () => {
      const all = { candle: this.#file.rows, revision: this.#file.revisions, gap: this.#file.gaps }[range.kind];
      const rows = all.slice(range.first - 1, range.last);
      if (this.#disk.isFull) throw new FabricError("io", "Cannot publish from the market store: no space left");
      const times = rows.map((row) => ("openTime" in row ? row.openTime : row.fromOpenTime));
      const text = `${range.kind} ${range.first}-${range.last}`;
      const bytes = 100 + 64 * rows.length;
      this.#disk.put(range.path, {
        ...{ text, rows, bytes, writtenMs: this.#world.nowMs, stampMs: this.#world.wallMs },
        ...{ isTorn: false, isSynced: false, replaced: undefined },
      });
      return { rows: rows.length, bytes, minOpenTime: Math.min(...times), maxOpenTime: Math.max(...times) };
    });
  }

  async foldHeads(afterSeq: number, heads: Map<string, SymbolHead>): Promise<void> {
    await this.#life.call("folding heads", 1, () => {
      for (const row of this.#file.rows.slice(afterSeq)) {
        const isDelivery =
          row.provenance !== "imported" && (row.prevOpenTime === null || row.openTime > row.prevOpenTime);
        if (!isDelivery) continue;
        heads.set(row.symbol, {
          lastOpenTime: row.openTime,
          lastCommitSeq: row.commitSeq,
          lastClose: row.close,
          lastTradeId: row.lastTradeId,
        });
      }
    });
  }

  async importsOf(): Promise<{ importedThrough: Map<string, number>; importedMinutes: Set<string> }> {
    return { importedThrough: new Map(), importedMinutes: new Set() };
  }

  latestRevisions(candles: readonly Candle[]): Promise<Map<string, { commitSeq: number; revision: number }>> {
    return this.#life.call("looking for revisions", 1, () => {
      const found = new Map<string, { commitSeq: number; revision: number }>();
      for (const { symbol, openTime } of candles) {
        const row = this.#file.rows.find((stored) => stored.symbol === symbol && stored.openTime === openTime);
        if (!row) continue;
        const revision = this.#file.revisions.filter((one) => one.commitSeq === row.commitSeq).length;
        found.set(`${symbol} ${openTime}`, { commitSeq: row.commitSeq, revision });
      }
      return found;
    });
  }

  newest(afterSeq: number): Promise<readonly Candle[]> {
    return this.#life.call("reading the newest rows", 1, () =>
      this.#file.rows
        .slice(afterSeq)
        .filter(({ provenance }) => provenance !== "imported")
        .map((row) => this.#file.revisions.findLast(({ commitSeq }) => commitSeq === row.commitSeq) ?? row),
    );
  }

  async checkpointIfDue(): Promise<void> {}

  async close(): Promise<void> {
    this.#life.step("closing the truth");
    this.#letGo();
  }

  #letGo(): void {
    this.#opening?.release();
    this.#opening = null;
    if (this.#file.holder === this.#life) this.#file.holder = null;
  }
}
