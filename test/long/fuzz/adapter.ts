import { parseFrame } from "../../../src/feed/binance/frame-json.ts";
import { FrameReader } from "../../../src/feed/binance/frame-reader.ts";
import { Dice } from "../dice.ts";
import { tradeWrong } from "./judge.ts";
import { mutated } from "./mutations.ts";
import { refusal, type Tally } from "./tally.ts";
import type { FuzzRange } from "./targets.ts";
import { type VenueFrames, venueFrames } from "./venue-corpus.ts";
import { VenueRig } from "./venue-rig.ts";

/** Every so many cases also go over a real WebSocket into a feed, with an ingest behind it. */
const WIRED_ONE_IN = 10;
const BATCH = 200;

type Json = Readonly<Record<string, unknown>>;

/**
 * Mutated frames of venues: each through the frame reader, whose quick scanner and JSON reading must agree, and whose trades must be
 * what the frame says; a tenth of them also over a real WebSocket, where connections may be lost but nothing may stop.
 */
export async function fuzzAdapter({ seed, from, to }: FuzzRange, tally: Tally): Promise<void> {
  const corpus = venueFrames();
  tally.note("recorded frames in the corpus", corpus.recorded);
  const reader = new FrameReader();
  const decoder = new TextDecoder();
  await using rig = await VenueRig.open();
  for (let at = from; at < to; at += BATCH) {
    const wired: Uint8Array[] = [];
    for (let index = at; index < Math.min(to, at + BATCH); index++) {
      tally.reached(index);
      const dice = new Dice(seed, index);
      const { kind, bytes } = mutated(rig.asOfNow(soundFrame(corpus, dice), dice), soundFrame(corpus, dice), dice);
      if (dice.oneIn(WIRED_ONE_IN)) wired.push(bytes);
      try {
        tally.count(
          kind,
          judged(reader, decoder.decode(bytes), (what) => tally.fail(index, what)),
        );
      } catch (error) {
        tally.fail(index, `the reader threw ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
    tally.note("frames over the socket", wired.length);
    const wrong = await rig.send(wired);
    if (wrong !== null) tally.fail(at, wrong);
  }
  for (const [name, value] of Object.entries(rig.facts())) tally.note(name, value);
}

function soundFrame({ documented, trades, others }: VenueFrames, dice: Dice): string {
  if (dice.oneIn(4)) return dice.pick(documented);
  return dice.pick(dice.oneIn(4) ? others : trades);
}

/** The outcome of one frame. */
function judged(reader: FrameReader, text: string, fail: (what: string) => void): string {
  const frame = reader.read(text);
  const slow = parseFrame(text);
  if (JSON.stringify(frame) !== JSON.stringify(slow)) {
    // Where a name comes twice the quick scanner sees only frames that have none twice.
    fail(`scanner and parser differ: ${JSON.stringify(frame)} and ${JSON.stringify(slow)} from ${text.slice(0, 400)}`);
  }
  if (frame.type === "malformed") return refusal(frame.reason);
  if (frame.type !== "trades") return frame.type === "reply" ? "an answer" : frame.type;
  const value = JSON.parse(text) as Json;
  const data = ("stream" in value && "data" in value ? value.data : value) as Json;
  const wrong = tradeWrong({ ...frame.trades[0] }, data);
  if (wrong !== null) fail(`a trade was taken with ${wrong} from ${text.slice(0, 400)}`);
  return "a trade";
}
