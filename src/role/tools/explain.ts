import { platform } from "#platform";
import type { Candle } from "../../core/candle.ts";
import { isDelivered } from "../../core/delivery.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import { MINUTE_MS, toRfc3339 } from "../../core/time.ts";
import { timeframeMs } from "../../core/timeframe.ts";
import { type OrderStory, readOrderStory } from "../../execution/order-story.ts";
import { RollUp } from "../../strategy/rollup.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { printable, printTable } from "./print.ts";
import { withStore } from "./store-prices.ts";

export interface ExplainOptions {
  /** An order's id, or its beginning. */
  readonly id: string;
  readonly json: boolean;
  readonly data: string | undefined;
}

/** A time as a command tells it, in both ways. */
interface Told {
  readonly ms: number;
  readonly utc: string;
}

/** Prints how an order came about: candle, decision, intent, order, fills, each with its times. */
export async function runExplain(options: ExplainOptions): Promise<number> {
  const folder = dataFolder(options.data);
  const story = readOrderStory(platform, folder.path, options.id);
  const candle = await candleOf(folder.path, story);
  if (options.json) process.stdout.write(`${JSON.stringify(asJson(story, candle))}\n`);
  else printStory(story, candle);
  return 0;
}

/** The bar that was decided on, out of the store's segments; null (and said so) where it cannot be had. */
async function candleOf(data: string, story: OrderStory): Promise<Candle | null> {
  const { symbol, openTime } = story.intent;
  const lastMinute = openTime + timeframeMs(story.timeframe) - MINUTE_MS;
  try {
    const rows = await withStore(data, async (reader) => {
      const view = await reader.view();
      if (view?.storeId !== story.storeId) throw new FabricError("refused", "this folder's store is another one");
      return reader.history(symbol, openTime, lastMinute);
    });
    const bar = new RollUp(story.timeframe);
    let whole: Candle | null = null;
    for (const row of rows) if (isDelivered(row) && row.provenance !== "partial") whole = bar.add(row);
    const found = whole ?? bar.closeBefore(lastMinute + MINUTE_MS);
    if (found) return found;
    throw new FabricError("missing-input", "the store does not hold it");
  } catch (error) {
    if (!(error instanceof FabricError)) throw error;
    process.stderr.write(`fabric: the candle cannot be shown: ${messageOf(error)}\n`);
    return null;
  }
}

function asJson(story: OrderStory, candle: Candle | null): object {
  const { intent, fills, runner, mode, strategy, version, params, timeframe } = story;
  return {
    clientOrderId: intent.clientOrderId,
    runner,
    mode,
    strategy,
    version,
    params: JSON.parse(params) as unknown,
    symbol: intent.symbol,
    status: intent.status,
    candle: candle && { ...candle, timeframe, opened: told(candle.openTime) },
    decision: {
      side: intent.side,
      quantity: intent.quantity,
      reason: intent.wish ?? (intent.refusal === null ? intent.reason : null),
      ordinal: intent.ordinal,
      decided: told(intent.decidedAt),
    },
    intent: { refusal: intent.refusal, journaled: told(intent.journaledAt) },
    order: {
      sent: told(intent.sentAt),
      sentWall: told(intent.sentWallAt),
      acknowledged: told(intent.ackAt),
      acknowledgedWall: told(intent.ackWallAt),
      outcome: outcomeOf(story),
    },
    fills: fills.map((fill) => ({
      fillId: fill.fillId,
      price: fill.price,
      quantity: fill.quantity,
      fee: fill.fee,
      baseFee: fill.baseFee,
      filled: told(fill.filledAt),
      journaled: told(fill.journaledAt),
      seenFrom: told(fill.candleOpenTime),
    })),
  };
}

function printStory(story: OrderStory, candle: Candle | null): void {
  const { intent, fills, runner, mode, strategy, version, params, timeframe } = story;
  process.stdout.write(
    printable(`order ${intent.clientOrderId} of ${runner} (${mode === "live" ? "LIVE" : mode}): ${outcomeOf(story)}`) +
      "\n",
  );
  const step = (name: string, exchange: number | null, wall: number | null, what: string) => ({
    step: name,
    exchangeTime: timeText(exchange),
    wallTime: timeText(wall),
    what,
  });
  const { side, quantity, symbol } = intent;
  const prices = candle
    ? `open ${candle.open}, high ${candle.high}, low ${candle.low}, close ${candle.close}, volume ${candle.volume}, ${candle.trades} trades`
    : "not in the store";
  printTable([
    step("candle", intent.openTime, null, `${symbol} ${timeframe}: ${prices}`),
    step(
      "decision",
      intent.decidedAt,
      null,
      `${side} ${quantity} by ${strategy} ${version} ${params}${intent.wish === null ? "" : `: ${intent.wish}`}`,
    ),
    step(
      "intent",
      null,
      intent.journaledAt,
      intent.refusal === null ? "journaled" : `journaled, never sent (${intent.refusal})`,
    ),
    ...(intent.sentAt === null ? [] : [step("order", intent.sentAt, intent.sentWallAt, "handed to the broker")]),
    ...(intent.ackWallAt === null ? [] : [step("answer", intent.ackAt, intent.ackWallAt, "first word of the broker")]),
    ...fills.map((fill) =>
      step(
        "fill",
        fill.filledAt,
        fill.journaledAt,
        `${fill.quantity} at ${fill.price}, fee ${fill.fee}${fill.baseFee === null ? "" : ` (${fill.baseFee} in the base asset)`}, ${fill.fillId}`,
      ),
    ),
  ]);
}

/** What became of it, for people. */
function outcomeOf({ intent }: OrderStory): string {
  const isReason = intent.reason !== null && intent.reason !== intent.wish;
  return isReason && intent.status !== "filled" && intent.status !== "open"
    ? `${intent.status}, ${intent.reason}`
    : intent.status;
}

function told(ms: number | null): Told | null {
  return ms === null ? null : { ms, utc: toRfc3339(ms) };
}

function timeText(ms: number | null): string | null {
  return ms === null ? null : `${toRfc3339(ms)} (${ms})`;
}
