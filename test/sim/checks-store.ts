import type { Candle, FeedGap, StoredCandle } from "../../src/core/candle.ts";
import type { Life } from "./life.ts";
import type { Machine } from "./machine.ts";
import type { VenueCandle } from "./venue-market.ts";

const MINUTE = 60_000;
/** Exchange ms for which a minute waits for its last trades. */
const LATE_ALLOWANCE_MS = 500;
/** By then, wall ms, a correction is in the store. */
const MENDING_MS = 5000;
/** What a market-data remembers of a symbol's rows. */
const RECALLED_ROWS = 16;
const MANIFEST_PATH = "/data/published/manifest.json";
const FIGURES = [
  "open",
  "high",
  "low",
  "close",
  "volume",
  "quoteVolume",
  "trades",
  "takerBuyVolume",
  "takerBuyQuoteVolume",
] as const;

/** Watches the truth, the wire and the manifest while a run goes on: nothing shows that is not durable, nothing durable changes. */
export class StoreWatch {
  /** throughSeq of every manifest that knew a closedThrough: where a new consumer may begin. */
  readonly beginnings = new Set<number>();
  /** Segment files that the run itself hurt. */
  readonly hurt = new Set<string>();
  readonly #machine: Machine;
  readonly #frozen: string[] = [];
  readonly #closed: { readonly commitSeq: number; readonly closedThrough: number }[] = [];
  /** Which life committed each row. */
  readonly #makers: Life[] = [];
  readonly #byMinute = new Map<string, number>();
  readonly #newest = new Map<string, number>();
  readonly #published = new Map<string, number>();

  constructor(machine: Machine) {
    this.#machine = machine;
    const { truth, wire, disk, world } = machine;
    truth.onDurable.push((change, after, life) => {
      world.check(
        1,
        truth.holder === life && life.node === "market-data",
        () => `${life.name} writes the truth, ${truth.holder?.name} holds it`,
      );
      for (const row of change.rows) {
        this.#durable(row);
        this.#makers.push(life);
      }
      for (const gap of change.gaps) this.#gapDurable(gap);
      this.#closed.push({ commitSeq: after.commitSeq, closedThrough: after.closedThrough ?? 0 });
      world.check(
        2,
        after.commitSeq === truth.rows.length,
        () => `commitSeq ${after.commitSeq} with ${truth.rows.length} rows`,
      );
    });
    wire.watches.push((life, topic, body) => {
      if (topic.startsWith("market.candle.")) this.#candleSent(life.name, JSON.parse(body) as StoredCandle);
      else if (topic === "market.heartbeat")
        this.#heartbeatSent(JSON.parse(body) as { commitSeq: number; closedThrough: number | null });
    });
    disk.onPlaced.push((path, file) => {
      if (path.endsWith("/manifest.json")) this.#manifestPlaced(file.text);
    });
  }

  /** After the run. */
  judge(): void {
    const { truth, world } = this.#machine;
    truth.rows.forEach((row, at) => {
      world.check(3, this.#frozen[at] === JSON.stringify(row), () => `row ${at + 1} changed after its commit`);
    });
    for (const row of truth.rows) this.#judgeFigures(row);
    this.#judgeClosed();
  }

  /** What is a row is no gap. The other way round may be: whoever begins again from the newest row asks the venue again. */
  #gapDurable(gap: FeedGap): void {
    for (let at = gap.fromOpenTime; at <= gap.toOpenTime; at += MINUTE) {
      const key = `${gap.symbol} ${at}`;
      this.#machine.world.check(
        2,
        !this.#byMinute.has(key),
        () => `${key} became a gap, and is row ${this.#byMinute.get(key)}`,
      );
    }
  }

  #durable(row: StoredCandle): void {
    const { world } = this.#machine;
    this.#frozen.push(JSON.stringify(row));
    const key = `${row.symbol} ${row.openTime}`;
    const before = this.#byMinute.get(key);
    world.check(3, before === undefined, () => `${key} is row ${before} and row ${row.commitSeq}`);
    this.#byMinute.set(key, row.commitSeq);
    world.check(2, row.commitSeq === this.#frozen.length, () => `row ${row.commitSeq} is the ${this.#frozen.length}th`);
    const newest = this.#newest.get(row.symbol) ?? null;
    world.check(2, newest === row.prevOpenTime, () => `${key} names ${row.prevOpenTime} before it, that is ${newest}`);
    world.check(2, newest === null || row.openTime > newest, () => `${key} was overtaken by ${newest}`);
    this.#newest.set(row.symbol, row.openTime);
  }

  #candleSent(life: string, body: StoredCandle & { storeId?: string }): void {
    const { truth, world } = this.#machine;
    const row = truth.rows[body.commitSeq - 1];
    const same =
      row !== undefined && Object.entries(row).every(([name, value]) => body[name as keyof StoredCandle] === value);
    world.check(
      2,
      same,
      () => `${body.symbol} ${body.openTime} was published as row ${body.commitSeq}, which is not durable so`,
    );
    const before = this.#published.get(life) ?? 0;
    world.check(2, body.commitSeq > before, () => `row ${body.commitSeq} was published after row ${before}`);
    this.#published.set(life, body.commitSeq);
  }

  #heartbeatSent(body: { readonly commitSeq: number; readonly closedThrough: number | null }): void {
    const { truth, world } = this.#machine;
    world.check(2, body.commitSeq <= truth.rows.length, () => `a heartbeat tells of row ${body.commitSeq}`);
    world.check(
      2,
      body.closedThrough === null || body.closedThrough <= (truth.state.closedThrough ?? 0),
      () => `a heartbeat tells of ${body.closedThrough}, the truth of ${truth.state.closedThrough}`,
    );
  }

  #manifestPlaced(text: string): void {
    const { truth, world } = this.#machine;
    const { manifest } = JSON.parse(text) as { readonly manifest: PublishedManifest };
    world.check(2, manifest.throughSeq <= truth.rows.length, () => `the manifest tells of row ${manifest.throughSeq}`);
    if (manifest.closedThrough !== null) {
      this.beginnings.add(manifest.throughSeq);
      const told = this.#closedAt(manifest.throughSeq);
      world.check(
        2,
        manifest.closedThrough <= told,
        () =>
          `the manifest ends at row ${manifest.throughSeq} and is closed through ${manifest.closedThrough}, which was ${told} then`,
      );
    }
    for (const [symbol, lastOpenTime, lastCommitSeq] of manifest.heads)
      world.check(
        2,
        lastCommitSeq <= manifest.throughSeq,
        () =>
          `the manifest ends at row ${manifest.throughSeq}, its head of ${symbol} is row ${lastCommitSeq} (${lastOpenTime})`,
      );
    const through: Record<string, number> = { candle: 0, revision: 0, gap: 0 };
    for (const segment of manifest.segments) {
      world.check(
        2,
        segment.firstSeq === (through[segment.kind] ?? 0) + 1,
        () => `segments overlap or leave a hole at ${segment.firstSeq}`,
      );
      through[segment.kind] = segment.lastSeq;
      if (this.hurt.has(segment.file)) continue;
      const whole = this.#isWhole(segment);
      world.check(2, whole, () => `the manifest lists ${segment.file}, which is not there whole`);
    }
    world.check(2, (through.candle ?? 0) === manifest.throughSeq, () => `the manifest ends at ${through.candle}`);
  }

  #isWhole({ file: name, kind, firstSeq, lastSeq }: PublishedManifest["segments"][number]): boolean {
    const { truth, disk } = this.#machine;
    const file = disk.files.get(`/data/published/segments/${name}`);
    const all: readonly unknown[] = { candle: truth.rows, revision: truth.revisions, gap: truth.gaps }[kind];
    return (
      file?.isSynced === true &&
      !file.isTorn &&
      !file.isFlipped &&
      file.rows?.length === lastSeq - firstSeq + 1 &&
      file.rows.every((row, at) => row === all[firstSeq - 1 + at])
    );
  }

  /** What is published now stands whole, whatever befell it while no commit came. */
  judgeMended(): void {
    const { world, disk } = this.#machine;
    const text = disk.files.get(MANIFEST_PATH)?.text ?? "";
    let manifest: PublishedManifest;
    try {
      manifest = (JSON.parse(text) as { readonly manifest: PublishedManifest }).manifest;
    } catch {
      world.violate(2, `the manifest was not mended: ${text.slice(0, 40)}`);
      return;
    }
    for (const segment of manifest.segments)
      world.check(2, this.#isWhole(segment), () => `${segment.file} was damaged while no commit came, and not mended`);
  }

  /** What the truth was closed through when it held that many rows. */
  #closedAt(throughSeq: number): number {
    return this.#closed.findLast((at) => at.commitSeq <= throughSeq)?.closedThrough ?? 0;
  }

  /** Figures are the venue's own; where trades came too late to be counted, a revision sets that right. */
  #judgeFigures(row: StoredCandle): void {
    const { market, truth, world } = this.#machine;
    const venue = market.candle(row.symbol, row.openTime);
    const { rates } = world.scenario;
    const key = `${row.symbol} ${row.openTime}`;
    if (venue === null) {
      world.violate(2, `${key} is a row, and the symbol was not traded yet`);
      return;
    }
    if (row.provenance === "partial") {
      world.check(2, row.trades <= venue.trades, () => `${key} is partial with more trades than there were`);
      return;
    }
    if (this.#agrees(row, venue, null)) return;
    const revised = truth.revisions.findLast((one) => one.commitSeq === row.commitSeq);
    if (revised && this.#agrees(revised, venue, row)) return;
    // A venue that loses trades within a whole connection breaks its promise: no feed could tell.
    if (rates["feed.lost"] > 0) return;
    // A quiet minute stands on the last one that was traded.
    const origin = market.tradedMinute(row.symbol, row.openTime);
    if (market.isToldLate(row.symbol, origin, LATE_ALLOWANCE_MS) && !this.#isMendable(row, origin)) return;
    world.violate(2, `${key} (${row.provenance}) differs from the venue: ${differences(row, venue)}`);
  }

  /**
   * Figure by figure the venue's; one that its klines do not tell may be 0 in a row that is made of them, but not where a correction
   * left the row's volume as it was.
   */
  #agrees(row: Candle, venue: VenueCandle, corrected: Candle | null): boolean {
    const { untold } = this.#machine.world.scenario;
    const mayLack = (name: (typeof FIGURES)[number]) =>
      row.provenance === "backfilled" &&
      row[name] === 0 &&
      untold.includes(name) &&
      (corrected?.volume !== row.volume || corrected[name] === 0);
    return FIGURES.every((name) => row[name] === venue[name] || mayLack(name));
  }

  /**
   * Whether a market-data was told of a late trade, and it or one that began after it with the row among its newest could ask the
   * venue again and has had the time to.
   */
  #isMendable(row: StoredCandle, origin: number): boolean {
    const { market, world } = this.#machine;
    const { rates, hurtMs } = world.scenario;
    if (market.isGone(row.symbol, origin) || market.isGone(row.symbol, row.openTime)) return false;
    const askableMs = rates["feed.klines-fail"] > 0 ? hurtMs : 0;
    const words = market.lateWords.get(`${row.symbol} ${origin}`) ?? [];
    const isRemembered = words.some((word) => this.#isRecalled(row, word.atMs));
    if (isRemembered) return true;
    return words.some(
      ({ life, feed, run, atMs }) =>
        life.alive &&
        life === this.#makers[row.commitSeq - 1] &&
        feed.run === run &&
        atMs >= askableMs &&
        world.nowMs - atMs > MENDING_MS,
    );
  }

  /** Whether a feed that runs to the end began after `toldMs` while the row was among the newest of its symbol, and had time enough. */
  #isRecalled(row: StoredCandle, toldMs: number): boolean {
    const { market, truth, world } = this.#machine;
    const { rates, hurtMs } = world.scenario;
    if (rates["feed.klines-gone"] > 0) return false;
    const askableMs = rates["feed.klines-fail"] > 0 || rates["feed.klines-late"] > 0 ? hurtMs : 0;
    if (truth.rows.length - row.commitSeq >= RECALLED_ROWS) return false;
    return (market.beginnings.get(row.symbol) ?? []).some(
      ({ life, feed, run, atMs }) =>
        life.alive && feed.run === run && atMs > toldMs && world.nowMs - Math.max(atMs, askableMs) > MENDING_MS,
    );
  }

  /** Up to closedThrough every minute from a symbol's first on is a row or lies in a gap. */
  #judgeClosed(): void {
    const { truth, world } = this.#machine;
    const through = truth.state.closedThrough;
    if (through === null) return;
    for (const symbol of world.scenario.symbols) {
      const own = truth.rows.filter((row) => row.symbol === symbol);
      const first = own[0];
      if (!first) continue;
      const known = new Set(own.map((row) => row.openTime));
      for (const gap of truth.gaps) {
        if (gap.symbol !== symbol) continue;
        for (let at = gap.fromOpenTime; at <= gap.toOpenTime; at += MINUTE) {
          known.add(at);
        }
      }
      for (let at = first.openTime; at <= through; at += MINUTE)
        world.check(2, known.has(at), () => `${symbol} ${at} is neither a row nor a gap, closed through ${through}`);
    }
  }
}

interface PublishedManifest {
  readonly throughSeq: number;
  readonly closedThrough: number | null;
  readonly heads: readonly (readonly [string, number, number])[];
  readonly segments: readonly {
    readonly file: string;
    readonly kind: "candle" | "revision" | "gap";
    readonly firstSeq: number;
    readonly lastSeq: number;
  }[];
}

function differences(row: StoredCandle, venue: VenueCandle): string {
  return FIGURES.filter((name) => row[name] !== venue[name])
    .map((name) => `${name} ${row[name]} instead of ${venue[name]}`)
    .join(", ");
}
