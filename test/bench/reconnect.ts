import { platform } from "#platform";
import type { OpenSocket, Socket } from "../../src/core/env.ts";
import { MINUTE_MS, minuteOf } from "../../src/core/time.ts";
import type { Venue } from "../../src/feed/venues/contract.ts";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { openLive } from "../feed/live/live-bench.ts";
import { eventually } from "../support/eventually.ts";
import { rank } from "./figures.ts";

// From a cut connection to a whole minute, all venues side by side at real speed: `bun test/bench/reconnect.ts [ROUNDS]`, a minute a
// round. Told are cut → every symbol subscribed again, and the end of the minute in which it was cut → its row, beside the same of
// minutes that nobody cut; and whether the row came of trades (those lost asked for by id) or of the venue's kline.

const ROUNDS = Number(process.argv[2] ?? 4);
/** Into the minute, exchange ms: what was lost is a part of it. */
const CUT_AFTER_MS = 20_000;

interface Round {
  readonly connectedMs: number;
  /** Of each symbol. */
  readonly rows: readonly { readonly afterEndMs: number; readonly provenance: string }[];
}

async function measure(venue: Venue): Promise<{ readonly cut: readonly Round[]; readonly calm: readonly Round[] }> {
  const sockets = new Set<Socket>();
  const openSocket: OpenSocket = (url, handlers) => {
    const socket: Socket = platform.openSocket(url, {
      ...handlers,
      onClose: (reason) => {
        sockets.delete(socket);
        handlers.onClose(reason);
      },
    });
    sockets.add(socket);
    return socket;
  };
  await using live = openLive(venue, { speed: 1, openSocket });
  const now = () => live.exchange.exchangeTimeMs();
  const exchangeReaches = (timeMs: number) => eventually(() => now() >= timeMs, 120_000, "the exchange's time");
  const rounds = { cut: [] as Round[], calm: [] as Round[] };
  await eventually(() => live.feed.facts().connected, 20_000, "the first connection");
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const openTime = minuteOf(now()) + (round === 0 ? MINUTE_MS : 0);
    await exchangeReaches(openTime + CUT_AFTER_MS);
    const began = performance.now();
    const isCut = round % 2 === 1;
    if (isCut) for (const socket of sockets) socket.close();
    if (isCut) await eventually(() => !live.feed.facts().connected, 5000, "the cut");
    await eventually(() => live.feed.facts().connected, 30_000, "connected again");
    const connectedMs = performance.now() - began;
    const rows = () => live.out.candles.filter((candle) => candle.openTime === openTime);
    const outAt = new Map<string, number>();
    await eventually(
      () => {
        for (const { symbol } of rows()) if (!outAt.has(symbol)) outAt.set(symbol, now());
        return outAt.size === 3;
      },
      120_000,
      "the minute's rows",
    );
    rounds[isCut ? "cut" : "calm"].push({
      connectedMs,
      rows: rows().map(({ symbol, provenance }) => {
        return { afterEndMs: (outAt.get(symbol) ?? Number.NaN) - openTime - MINUTE_MS, provenance };
      }),
    });
  }
  const faults = live.faults();
  if (faults.length > 0) throw new Error(`${venue.title} is wrong: ${faults.join("; ")}`);
  return rounds;
}

console.log(`${ROUNDS} cuts a venue, 20 s into a minute of 3 symbols, at real speed; ms, median (most)`);
console.log("venue           cut → subscribed   end → row, cut     end → row, calm    rows of cut minutes");
const told = await Promise.all(VENUES.map(async (venue) => ({ venue, ...(await measure(venue)) })));
for (const { venue, cut, calm } of told) {
  const spread = (values: readonly number[]) =>
    `${rank(values, 0.5).toFixed(0)} (${Math.max(...values).toFixed(0)})`.padEnd(19);
  const delays = (rounds: readonly Round[]) => spread(rounds.flatMap(({ rows }) => rows.map((row) => row.afterEndMs)));
  const kinds = Map.groupBy(
    cut.flatMap(({ rows }) => rows),
    ({ provenance }) => provenance,
  );
  const provenances = [...kinds].map(([kind, rows]) => `${rows.length} ${kind}`).join(", ");
  console.log(
    `${venue.id.padEnd(16)}${spread(cut.map((each) => each.connectedMs))}${delays(cut)}${delays(calm)}${provenances}`,
  );
}
