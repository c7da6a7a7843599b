import { platform } from "#platform";
import type { Candle } from "../../src/core/candle.ts";
import { CANDLE_FIGURES, type CandleFigure } from "../../src/core/candle.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { LiveFeed } from "../../src/feed/live/live-feed.ts";
import { GOOD_DAY, parseBadDay } from "../../src/feed/sim/bad-day.ts";
import type { TruthRow } from "../../src/feed/sim/exact-candle.ts";
import { openSimExchange } from "../../src/feed/sim/sim-exchange.ts";
import { DEFAULT_START_MS, simTruth } from "../../src/feed/sim/truth.ts";
import type { Venue, VenueId } from "../../src/feed/venues/contract.ts";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { eventually } from "../support/eventually.ts";
import { type Collected, collect, deps, quietLog } from "./support.ts";

/** A venue's bad day: the node's own feed and ingest against the simulated exchange over real sockets. */
export interface BadDayWish {
  readonly venue: Venue;
  /** As `--bad-day` takes it; empty for a day on which nothing goes wrong. */
  readonly faults: string;
  /** Whole minutes of exchange time that are judged. */
  readonly minutes: number;
  /** Exchange ms per wall ms. */
  readonly speed: number;
  readonly seed: number;
}

/** Minutes by what became of them, over all symbols. */
export interface BadDayOutcome {
  readonly wish: BadDayWish;
  /** Told once and rightly. */
  readonly equal: number;
  /** Told wrongly at first, and rightly by a revision. */
  readonly revised: number;
  /** Told as a gap or a partial row. */
  readonly gap: number;
  /** Still waited for at the end, or before the node's first row because it could not begin: the node says so itself. */
  readonly behind: number;
  /** Silently wrong: each one in words. */
  readonly wrong: readonly string[];
  /** How often the faults struck. */
  readonly struck: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** The faults of the table, at rates that strike most runs of ten minutes. */
export const BAD_DAYS: readonly string[] = [
  "",
  "drop=0.02",
  "repeat=0.05",
  "reorder=0.05",
  "split=0.5",
  "malformed=0.02",
  "oversized=0.003",
  "late=0.01",
  "id-jump=0.005",
  "freeze=0.3:30",
  "burst=0.5:15",
  "slow=0.5:5",
  "cut=0.3",
  "shutdown=0.3",
  "cut=0.3,rest-down=0.3",
  "cut=0.3,rest-limited=0.1",
  "clock=3,cut=0.2",
  "clock=-3,cut=0.2",
  "drop=0.02,repeat=0.02,reorder=0.02,split=0.1,malformed=0.01,late=0.01,id-jump=0.002,freeze=0.1:40,burst=0.2:20," +
    "slow=0.2:4,cut=0.15,shutdown=0.1,rest-down=0.05,rest-limited=0.03,clock=1.5",
];

const ASSETS = ["BTC", "ETH"];
const TAKER: readonly CandleFigure[] = ["takerBuyVolume", "takerBuyQuoteVolume"];
/** Figures that a venue's klines leave out: a minute that is known by them alone holds zeros there. */
const UNTOLD: Readonly<Record<VenueId, readonly CandleFigure[]>> = {
  "binance-spot": [],
  "binance-usdm": [],
  coinbase: ["quoteVolume", "trades", ...TAKER],
  kraken: TAKER,
  bybit: ["trades", ...TAKER],
  okx: ["trades", ...TAKER],
};
/** Kraken's average price is cut to the price's two places. */
const KRAKEN_CUT = 0.01;

/** Runs one bad day to its end. Takes minutes / speed, and up to a quarter of a minute more for what is still repaired. */
export async function runBadDay(wish: BadDayWish): Promise<BadDayOutcome> {
  const { venue, faults, minutes, speed, seed } = wish;
  const symbols = ASSETS.map((base) => venue.symbolOf({ base, quote: "USDT" }));
  const badDay = faults === "" ? GOOD_DAY : parseBadDay(faults);
  const source = { kind: "market", seed, symbols, startMs: DEFAULT_START_MS, folder: null } as const;
  const exchange = openSimExchange(
    { host: "127.0.0.1", port: 0, speed, source, venue: venue.id, badDay },
    { ...platform, log: quietLog },
  );
  const feed = new LiveFeed({ venue, symbols, url: `ws://127.0.0.1:${exchange.port}`, staleAfterMs: 500 }, deps);
  const { ingest, out } = collect(feed, symbols, { historyMinutes: 3, backfillWaitMs: 3000 });
  const done = ingest.run();
  const failed: unknown[] = [];
  done.catch((error) => failed.push(error));
  const through = DEFAULT_START_MS + minutes * MINUTE_MS;
  const resolved = (symbol: string) =>
    ingest.state().symbols.find((lag) => lag.symbol === symbol)?.resolvedThrough ?? 0;
  const judged = () => judge(wish, symbols, out, { through, resolved });
  try {
    const closed = () => failed.length > 0 || (ingest.state().closedThrough ?? 0) >= through;
    await eventually(closed, (minutes * MINUTE_MS) / speed + 15_000, "the minutes").catch(() => undefined);
    // Revisions may come a little after; longer after where the venue takes few requests.
    const patienceMs = 8000 + 24_000 / venue.rest.requestsPerSecond;
    await eventually(() => judged().wrong.length === 0, patienceMs, "right minutes").catch(() => undefined);
    const wrong = [...failed.map((error) => `the feed failed: ${String(error)}`), ...judged().wrong];
    const strikes = Object.entries(exchange.counters()).filter(([name]) => /^bad\..*\.total$/.test(name));
    return {
      wish,
      ...judged(),
      wrong,
      struck: strikes.reduce((sum, [, count]) => sum + count, 0),
      counters: { ...feed.facts().counters, ...ingest.state().counters },
    };
  } finally {
    await ingest.stop();
    await done.catch(() => undefined);
    await exchange.stop();
  }
}

function judge(
  { venue, faults, seed }: BadDayWish,
  symbols: readonly string[],
  out: Collected,
  { through, resolved }: { readonly through: number; readonly resolved: (symbol: string) => number },
): Pick<BadDayOutcome, "equal" | "revised" | "gap" | "behind" | "wrong"> {
  const minutes = (through - DEFAULT_START_MS) / MINUTE_MS + 1;
  const truth = [...simTruth({ seed, symbols, startMs: DEFAULT_START_MS, minutes })];
  const tally = { equal: 0, revised: 0, gap: 0, behind: 0 };
  const wrong: string[] = [];
  for (const symbol of symbols) {
    const rows = truth.filter((row) => row.symbol === symbol);
    const candles = out.of(symbol).filter(({ openTime }) => openTime >= DEFAULT_START_MS);
    candles.forEach(({ openTime }, at) => {
      if (openTime <= (candles[at - 1]?.openTime ?? 0))
        wrong.push(`${symbol} ${minuteName(openTime)} comes after a later one`);
    });
    // What the first minute opens at, where that is the close before it, is not in the list.
    for (const [at, row] of rows.entries()) {
      if (at === 0) continue;
      const told = candles.find(({ openTime }) => openTime === row.openTime);
      const newest = out.revised.findLast((one) => one.symbol === symbol && one.openTime === row.openTime);
      const isGap = out.gaps.some(
        (gap) => gap.symbol === symbol && gap.fromOpenTime <= row.openTime && gap.toOpenTime >= row.openTime,
      );
      const name = `${symbol} ${minuteName(row.openTime)}`;
      if (told === undefined) {
        const first = candles[0]?.openTime ?? Number.POSITIVE_INFINITY;
        if (isGap) tally.gap++;
        else if (row.openTime > resolved(symbol) || row.openTime < first) tally.behind++;
        else wrong.push(`${name} is absent`);
        continue;
      }
      const hasIds = venue.id !== "binance-usdm" && !faults.includes("id-jump");
      const off = differences(venue.id, newest ?? told, row, rows[at - 1], hasIds);
      if (off.length === 0) tally[newest === undefined ? "equal" : "revised"]++;
      else if ((newest ?? told).provenance === "partial") tally.gap++;
      else wrong.push(`${name} ${newest === undefined ? told.provenance : "revised"}: ${off.join(", ")}`);
    }
  }
  return { ...tally, wrong };
}

/** What of a candle is not as the market has it, beyond what the venue itself does not tell. */
function differences(
  venue: VenueId,
  candle: Candle,
  row: TruthRow,
  before: TruthRow | undefined,
  hasIds: boolean,
): readonly string[] {
  const wanted = new Map<CandleFigure, number>(CANDLE_FIGURES.map((figure) => [figure, row[figure]]));
  const isKline = candle.provenance === "backfilled";
  if (venue === "bybit" && isKline && before) {
    wanted.set("open", before.close);
    wanted.set("high", Math.max(before.close, row.high));
    wanted.set("low", Math.min(before.close, row.low));
  }
  const off = CANDLE_FIGURES.filter((figure) => {
    const [is, should] = [candle[figure], wanted.get(figure) ?? Number.NaN];
    if (is === should || (isKline && is === 0 && UNTOLD[venue].includes(figure))) return false;
    const isCut = venue === "kraken" && isKline && (figure === "quoteVolume" || figure === "takerBuyQuoteVolume");
    return !(isCut && Math.abs(is - should) <= KRAKEN_CUT * row.volume);
  }).map((figure) => `${figure} ${candle[figure]} for ${wanted.get(figure)}`);
  const ids = candle.provenance === "complete" && candle.firstTradeId !== null && hasIds;
  if (ids && (candle.firstTradeId !== row.firstTradeId || candle.lastTradeId !== row.lastTradeId))
    off.push("trade ids");
  return off;
}

function minuteName(openTime: number): string {
  return `+${(openTime - DEFAULT_START_MS) / MINUTE_MS}`;
}

/** Lines of a table: faults down, venues across, `equal/gap/revised/wrong` in each cell. */
export function badDayTable(outcomes: readonly BadDayOutcome[]): readonly string[] {
  const venues = VENUES.filter(({ id }) => outcomes.some(({ wish }) => wish.venue.id === id));
  const faults = [...new Set(outcomes.map(({ wish }) => wish.faults))];
  const width = Math.max(...faults.map((fault) => nameOf(fault).length), 24);
  const line = (first: string, cells: readonly string[]) =>
    first.padEnd(width) + cells.map((cell) => cell.padStart(19)).join("");
  return [
    "minutes: equal / gap or partial / revised to equal / still behind / WRONG (strikes)",
    line(
      "",
      venues.map(({ id }) => id),
    ),
    ...faults.map((fault) =>
      line(
        nameOf(fault),
        venues.map(({ id }) => {
          const cell = outcomes.find(({ wish }) => wish.faults === fault && wish.venue.id === id);
          return cell ? cellOf(cell) : "";
        }),
      ),
    ),
  ];
}

function cellOf({ equal, gap, revised, behind, wrong, struck }: BadDayOutcome): string {
  return `${equal}/${gap}/${revised}/${behind}/${wrong.length} (${struck})`;
}

/** A row's first word: a day on which everything goes wrong is too long for one. */
export function nameOf(faults: string): string {
  if (faults === "") return "(none)";
  return faults.length > 60 ? "everything at once" : faults;
}
