import { join } from "node:path";
import type { VenueId, VenueTrade } from "../../src/feed/venues/contract.ts";

/** The release that is measured. Its 51 packages (12 MB) serve nothing else here, so they come when the bench runs, and go with its folder. */
const PACKAGE = "tardis-dev@13.35.3";
const INSTALL_WITHIN_MS = 90_000;

export interface MappedTrade {
  readonly symbol: string;
  readonly id: string | undefined;
  readonly price: number;
  readonly amount: number;
  readonly side: "buy" | "sell" | "unknown";
  readonly timestamp: Date;
}

export interface TradesMapper {
  canHandle(message: unknown): boolean;
  map(message: unknown, localTimestamp: Date): Iterable<MappedTrade> | undefined;
}

interface Tardis {
  normalizeTrades(exchange: string, localTimestamp: Date): TradesMapper;
}

/** Under its own names of exchanges; those whose mapper depends on a date get today's. */
const EXCHANGES: Readonly<Record<VenueId, string>> = {
  "binance-spot": "binance",
  "binance-usdm": "binance-futures",
  coinbase: "coinbase",
  kraken: "kraken",
  bybit: "bybit-spot",
  okx: "okex",
};

/** tardis-dev out of the registry, in this folder; or why not. */
export async function installTardis(folder: string): Promise<((venue: VenueId) => TradesMapper) | string> {
  await Bun.write(join(folder, "package.json"), "{}");
  const child = Bun.spawn([process.execPath, "add", "--exact", "--ignore-scripts", "--no-progress", PACKAGE], {
    cwd: folder,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: INSTALL_WITHIN_MS,
  });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) return said.trim().split("\n").at(-1) || `no answer within ${INSTALL_WITHIN_MS} ms`;
  const { normalizeTrades }: Tardis = await import(join(folder, "node_modules/tardis-dev/dist/mappers/index.js"));
  return (venue) => normalizeTrades(EXCHANGES[venue], new Date());
}

/** Where the trades that the two read from one frame differ, in words; null where nowhere. */
export function difference(ours: readonly VenueTrade[], theirs: readonly MappedTrade[]): string | null {
  if (ours.length !== theirs.length) return `theirs ${theirs.length} trades, ours ${ours.length}`;
  const differing = new Set<string>();
  for (const [at, trade] of ours.entries()) {
    const mapped = theirs[at];
    if (mapped === undefined) continue;
    if (mapped.symbol !== trade.symbol) differing.add("symbol");
    if (trade.id === null && mapped.id !== undefined)
      differing.add("id (theirs as sent, ours none: it does not count)");
    else if (trade.id !== null && Number(mapped.id) !== trade.id) differing.add("id");
    if (mapped.price !== Number(trade.price)) differing.add("price");
    if (mapped.amount !== Number(trade.quantity)) differing.add("quantity");
    if (mapped.side !== (trade.buyerIsMaker ? "sell" : "buy")) differing.add("side");
    if (mapped.timestamp.getTime() !== trade.timeMs) differing.add("time");
  }
  return differing.size === 0 ? null : [...differing].join(", ");
}
