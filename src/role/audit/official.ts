import { platform } from "#platform";
import type { Candle } from "../../core/candle.ts";
import { FabricError } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { binanceEndpoint } from "../../feed/binance/endpoint.ts";
import { BinanceRest } from "../../feed/binance/rest.ts";
import type { Connection } from "../../store/duckdb.ts";
import type { Published } from "../../store/published.ts";
import { inspectCandleFile, readCandleFile, tellBadRows } from "../data/candle-file.ts";
import { SIM_URL, simNetwork } from "../market-data/sim-address.ts";
import { addOfficial, type TimeRange } from "./pairs.ts";

/** Takes the klines of files into the table of official ones. Throws as `inspectCandleFile`; bad rows are told on stderr. */
export async function officialFromFiles(
  connection: Connection,
  files: readonly string[],
  symbol: string,
): Promise<void> {
  for (const path of files) {
    const facts = await inspectCandleFile(path, symbol);
    tellBadRows(facts);
    for await (const rows of readCandleFile(path, symbol)) {
      const candles = rows.flatMap(({ candle }) => (typeof candle === "string" ? [] : [candle]));
      await addOfficial(connection, candles, (figure) => facts.fields.has(figure));
    }
  }
}

/** The venue's own REST klines, for a store that came of it. */
export class VenueKlines {
  readonly #rest: BinanceRest;
  readonly #timeMs: number;

  private constructor(rest: BinanceRest, timeMs: number) {
    this.#rest = rest;
    this.#timeMs = timeMs;
  }

  /**
   * Asks who the venue is. Throws FabricError "usage" for a venue whose klines we cannot ask for, "refused" where a simulated market would
   * be held against another one, "unavailable".
   */
  static async open(store: Published, url: string | undefined, runFolder: string): Promise<VenueKlines> {
    if (store.venue !== "binance-spot") {
      throw new FabricError(
        "usage",
        `Cannot audit against the venue ${store.venue}: its klines cannot be asked for; name a file of them with --against`,
      );
    }
    const isSim = store.environment?.startsWith("sim:") === true;
    const ownSim = isSim && url === undefined;
    const get = ownSim ? simNetwork(runFolder).httpGet : platform.httpGet;
    const rest = new BinanceRest(binanceEndpoint(ownSim ? SIM_URL : url), get, platform.clock);
    const { timeMs, environment } = await rest.time();
    if ((isSim || environment.startsWith("sim:")) && environment !== store.environment) {
      throw new FabricError(
        "refused",
        `Cannot audit against the venue: the store holds "${store.environment}" and the venue is "${environment}"; name the right one with --url`,
      );
    }
    return new VenueKlines(rest, timeMs);
  }

  /** Takes the klines of a range into the table of official ones, in as many requests as it takes. Rejects as BinanceRest. */
  async load(connection: Connection, symbol: string, { from, to }: TimeRange): Promise<void> {
    for (let next = from; next <= to; ) {
      const candles: readonly Candle[] = await this.#rest.klines(symbol, next, to, this.#timeMs);
      await addOfficial(connection, candles, () => true);
      const last = candles.at(-1)?.openTime;
      if (last === undefined) return;
      next = last + MINUTE_MS;
    }
  }
}
