import type { FeedGap, StoredCandle } from "../../src/core/candle.ts";
import { FabricError } from "../../src/core/errors.ts";
import type { SegmentRows } from "../../src/store/ports.ts";
import type { Life } from "./life.ts";
import type { SimDisk } from "./sim-disk.ts";

/** Rows of published files as one reader gets them: late, sometimes in vain, and never from a file that is gone or torn. */
export class SimSegments implements SegmentRows {
  readonly #disk: SimDisk;
  readonly #life: Life;
  #freeAtMs = 0;

  constructor(disk: SimDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  delivery(
    paths: readonly string[],
    afterSeq: number,
    limit: number,
    symbols: ReadonlySet<string> | "all",
  ): Promise<readonly StoredCandle[]> {
    return this.#read(paths, () =>
      this.#candles(paths)
        .filter((row) => row.commitSeq > afterSeq && isDelivery(row) && (symbols === "all" || symbols.has(row.symbol)))
        .slice(0, limit),
    );
  }

  history(paths: readonly string[], symbol: string, from: number, to: number): Promise<readonly StoredCandle[]> {
    return this.#read(paths, () =>
      this.#candles(paths)
        .filter((row) => row.symbol === symbol && row.openTime >= from && row.openTime <= to)
        .sort((a, b) => a.openTime - b.openTime),
    );
  }

  latest(paths: readonly string[], symbol: string, limit: number): Promise<readonly StoredCandle[]> {
    return this.#read(paths, () =>
      this.#candles(paths)
        .filter((row) => row.symbol === symbol)
        .sort((a, b) => b.openTime - a.openTime)
        .slice(0, limit),
    );
  }

  gaps(paths: readonly string[], symbol: string | null): Promise<readonly FeedGap[]> {
    return this.#read(paths, () =>
      (this.#rows(paths) as FeedGap[]).filter((gap) => symbol === null || gap.symbol === symbol),
    );
  }

  async close(): Promise<void> {
    this.#life.step("closing the segments");
  }

  #read<T>(paths: readonly string[], take: () => T): Promise<T> {
    const { world, chance } = this.#life;
    const { rates } = world.scenario;
    const hurting = world.isHurting;
    const slow =
      hurting && chance.chance(rates["store.read-slow"] * 0.5) ? chance.below(2500) : 0.2 + chance.next() * 3;
    const fails = hurting && chance.chance(rates["store.read-fails"] * 0.4);
    // One call at a time takes effect.
    const startMs = Math.max(world.nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + slow;
    return this.#life.call(`reading ${paths.length} segments`, this.#freeAtMs - world.nowMs, () => {
      if (fails)
        throw new FabricError(chance.chance(0.5) ? "unavailable" : "io", "Cannot read segments: input/output error");
      return take();
    });
  }

  #candles(paths: readonly string[]): StoredCandle[] {
    return this.#rows(paths) as StoredCandle[];
  }

  #rows(paths: readonly string[]): unknown[] {
    return paths.flatMap((path) => {
      const file = this.#disk.files.get(path);
      if (!file) throw new FabricError("missing-input", `Cannot read ${path}: no such file`);
      if (file.isTorn || file.rows === null) throw new FabricError("unavailable", `Cannot read ${path}: it is torn`);
      return file.isFlipped ? file.rows.map(flipped) : [...file.rows];
    });
  }
}

/** What flipped bits decode to without any error. */
function flipped(row: unknown): unknown {
  const { close, toOpenTime } = row as Partial<StoredCandle & FeedGap>;
  return {
    ...(row as object),
    ...(close === undefined ? {} : { close: close + 0.5 }),
    ...(toOpenTime === undefined ? {} : { toOpenTime: toOpenTime + 60_000 }),
  };
}

function isDelivery(row: StoredCandle): boolean {
  return row.provenance !== "imported" && (row.prevOpenTime === null || row.openTime > row.prevOpenTime);
}
