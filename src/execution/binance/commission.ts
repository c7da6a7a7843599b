import type { Log } from "../../core/env.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { decimal, decimalText, moneyText } from "../decimal.ts";
import { Unreadable } from "./fields.ts";
import { CODES } from "./reply.ts";
import type { SymbolRules } from "./symbol-rules.ts";
import { reasonOf, type VenueRest } from "./venue-rest.ts";

/** What the venue took of a trade. Decimal strings. */
export interface Commission {
  readonly amount: string;
  /** Null where nothing was taken. */
  readonly asset: string | null;
}

export interface Fee {
  /** In the quote asset. */
  readonly fee: string;
  /** The part taken in the base asset. */
  readonly baseFee?: string;
}

/** Closes of third assets kept, null where there is none; the oldest goes when there are more. */
const MAX_RATES = 1000;

/**
 * A trade's commission in the quote asset. Taken in the base asset (as on buys), it counts at the trade's own price; in a
 * third one (BNB, where the account pays so), at that asset's last close before the minute in which the order began to work:
 * a figure that never changes, so that the same trade has the same fee by whatever way and however often it is told.
 */
export class CommissionDesk {
  readonly #rest: Pick<VenueRest, "public">;
  readonly #log: Log;
  readonly #rates = new Map<string, string | null>();
  #unpriced = 0;

  constructor(rest: Pick<VenueRest, "public">, log: Log) {
    this.#rest = rest;
    this.#log = log;
  }

  /** Trades whose commission has no price in their quote asset, so that it is missing from their fee. */
  get unpriced(): number {
    return this.#unpriced;
  }

  /** Throws Unreadable where the third asset's price is not to be had now: then the trade must wait. */
  async feeOf(rules: SymbolRules, price: string, { amount, asset }: Commission, workingTimeMs: number): Promise<Fee> {
    if (asset === null || decimal(amount).eq("0")) return { fee: "0" };
    if (asset === rules.quote) return { fee: moneyText(decimal(amount)) };
    if (asset === rules.base)
      return { fee: moneyText(decimal(amount).times(price)), baseFee: decimalText(decimal(amount)) };
    const rate = await this.#rateOf(asset, rules.quote, workingTimeMs);
    if (rate === null) {
      this.#unpriced++;
      if (this.#unpriced === 1)
        this.#log.warn(
          `A commission of ${amount} ${asset} has no price in ${rules.quote}: it is missing from the fees`,
        );
    }
    return { fee: rate === null ? "0" : moneyText(decimal(amount).times(rate)) };
  }

  /** Null where the venue has no such pair, or no close of it up to that minute. */
  async #rateOf(asset: string, quote: string, workingTimeMs: number): Promise<string | null> {
    const openTime = Math.floor(workingTimeMs / MINUTE_MS) * MINUTE_MS - MINUTE_MS;
    const key = `${asset}${quote} ${openTime}`;
    const known = this.#rates.get(key);
    if (known !== undefined) return known;
    // The newest up to that minute: where the venue stood still, the minute itself will never be there.
    const reply = await this.#rest.public("/api/v3/klines", [
      ["symbol", asset + quote],
      ["interval", "1m"],
      ["endTime", String(openTime)],
      ["limit", "1"],
    ]);
    if (reply.type === "refused" && reply.code === CODES.badSymbol) return null;
    const close = reply.type === "ok" ? closeIn(reply.body) : undefined;
    if (close === undefined)
      throw new Unreadable(`no price of ${asset} in ${quote} for a commission (${reasonOf(reply)})`);
    const oldest = this.#rates.keys().next().value;
    if (this.#rates.size >= MAX_RATES && oldest !== undefined) this.#rates.delete(oldest);
    this.#rates.set(key, close);
    return close;
  }
}

/** The close of the one kline asked for; null where there is none, undefined where the body is something else. */
function closeIn(body: unknown): string | null | undefined {
  if (!Array.isArray(body)) return undefined;
  const rows: readonly unknown[] = body;
  if (rows.length === 0) return null;
  const close: unknown = Array.isArray(rows[0]) ? rows[0][4] : undefined;
  return typeof close === "string" && /^\d{1,30}(?:\.\d{1,30})?$/.test(close) ? close : undefined;
}
