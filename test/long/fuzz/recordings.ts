import { gzipSync } from "node:zlib";
import { platform } from "#platform";
import type { Files } from "../../../src/core/env.ts";
import { FabricError } from "../../../src/core/errors.ts";
import { MarketIngest } from "../../../src/feed/market-ingest.ts";
import { ReplayFeed } from "../../../src/feed/replay/replay-feed.ts";
import { readRecording } from "../../../src/feed/sim/recording.ts";
import { Dice } from "../dice.ts";
import { candleWrong } from "./judge.ts";
import { type Mutation, mutated } from "./mutations.ts";
import { refusal, type Tally } from "./tally.ts";
import type { FuzzRange } from "./targets.ts";
import { venueFrames } from "./venue-corpus.ts";

const SYMBOLS = ["BTCUSDT", "ETHUSDT"];
const START = Date.UTC(2024, 7, 9);
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Mutated recordings and trade files, played into a real ingest and read by the simulated exchange. */
export async function fuzzRecordings({ seed, from, to }: FuzzRange, tally: Tally): Promise<void> {
  const corpus = venueFrames();
  tally.note("recorded frames in the corpus", corpus.recorded);
  const frames = corpus.trades.filter((frame) => SYMBOLS.some((symbol) => frame.includes(`"s":"${symbol}"`)));
  for (let index = from; index < to; index++) {
    tally.reached(index, true);
    const dice = new Dice(seed, index);
    const { kind, bytes } = fileOf(frames, corpus.others, dice);
    try {
      tally.count(kind, await replayed(bytes, (what) => tally.fail(index, what), tally));
      tally.count(kind, playable(bytes));
    } catch (error) {
      tally.fail(index, error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }
}

function fileOf(
  frames: readonly string[],
  others: readonly string[],
  dice: Dice,
): { readonly kind: Mutation; readonly bytes: Uint8Array } {
  const text = dice.oneIn(3) ? csv(dice) : recording(frames, others, dice);
  const done = mutated(text, dice.oneIn(2) ? csv(dice) : recording(frames, others, dice), dice);
  if (!dice.oneIn(3)) return done;
  const packed = gzipSync(done.bytes);
  if (dice.oneIn(3)) {
    const at = dice.below(packed.length);
    packed[at] = (packed[at] ?? 0) ^ (1 << dice.below(8));
  }
  return { kind: done.kind, bytes: dice.oneIn(4) ? packed.subarray(0, dice.below(packed.length)) : packed };
}

/** Some minutes of trades as a recorder writes them, with what else comes on such a socket. */
function recording(frames: readonly string[], others: readonly string[], dice: Dice): string {
  const colon = dice.oneIn(2) ? ":" : "";
  let timeMs = START + dice.below(60_000);
  const lines = Array.from({ length: 20 + dice.below(40) }, (_, at) => {
    timeMs += dice.below(12_000);
    const frame = dice.oneIn(6) ? dice.pick(others) : dice.pick(frames);
    const now = frame
      .replaceAll(/"([TE])":\d+/g, (_whole, key: string) => `"${key}":${timeMs}`)
      .replace(/"t":\d+/, `"t":${1000 + at}`)
      .replace(/"f":\d+,"l":\d+/, `"f":${1000 + at},"l":${1000 + at}`);
    return `${timeMs}000000${colon} ${now}`;
  });
  return `${lines.join("\n")}\n`;
}

function csv(dice: Dice): string {
  const header = dice.oneIn(2) ? "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n" : "";
  let timeMs = START + dice.below(60_000);
  const micro = dice.oneIn(3) ? "000" : "";
  const rows = Array.from({ length: 20 + dice.below(40) }, (_, at) => {
    timeMs += dice.below(12_000);
    return `${at + 1},${100 + dice.below(10)}.5,0.${1 + dice.below(9)},${dice.below(90)},${timeMs}${micro},${dice.oneIn(2)},true`;
  });
  return `${header}${rows.join("\n")}\n`;
}

/** Plays a file to its end; the outcome. What the ingest puts out is judged. */
async function replayed(bytes: Uint8Array, fail: (what: string) => void, tally: Tally): Promise<string> {
  const files: Files = { ...platform.files, readBytes: () => bytes };
  const deps = { ...platform, files, log: silent };
  const symbols = isCsv(bytes) ? ["BTCUSDT"] : SYMBOLS;
  const last = new Map<string, number>();
  try {
    const feed = await ReplayFeed.open({ files: ["case"], symbols, speed: "max" }, deps);
    const ingest = new MarketIngest(
      {
        symbols,
        heads: new Map(),
        closedThrough: null,
        emit: ({ candles }) => {
          tally.note("candles", candles.length);
          for (const candle of candles) {
            const wrong = candleWrong({ ...candle });
            if (wrong !== null) fail(`a candle was put out with ${wrong}`);
            if (candle.openTime <= (last.get(candle.symbol) ?? 0))
              fail(`${candle.symbol} ${candle.openTime} came twice`);
            last.set(candle.symbol, candle.openTime);
          }
          return "accepted";
        },
      },
      { ...deps, feed },
    );
    await ingest.run();
    return "replayed";
  } catch (error) {
    if (error instanceof FabricError && error.code !== "internal") return refusal(`replay: ${error.message}`);
    throw error;
  }
}

function isCsv(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, 2000)).split("\n")[0]?.includes(",") ?? false;
}

/** The same file as a simulated exchange would play it. */
function playable(bytes: Uint8Array): string {
  try {
    readRecording("case", bytes);
    return "playable by an exchange";
  } catch (error) {
    if (error instanceof FabricError && error.code !== "internal") return refusal(`exchange: ${error.message}`);
    throw error;
  }
}
