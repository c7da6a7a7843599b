import type { Clock, Log, Timers } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import type { AccountOutcome, Broker } from "./broker.ts";
import { decimal, decimalOfPrice, decimalText } from "./decimal.ts";
import type { Journal, Settlement } from "./journal.ts";
import type { BaselineRow, FillRow, IntentRow } from "./journal-rows.ts";
import type { Ledger } from "./ledger.ts";
import { type OrderNews, TradingHalt } from "./order-news.ts";
import { Pauses } from "./pauses.ts";
import { byBaseAsset, type Difference, differencesOf, type JournalFacts, type KnownAccount } from "./reconciliation.ts";

export interface ReconcilerDeps {
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly broker: Broker;
  /** Takes what the account tells of an order of ours. Throws TradingHalt where it cannot be. */
  readonly learn: (clientOrderId: string, news: OrderNews) => void;
  /** Looks up open orders again, knows those that the venue does not know, and gives one up. */
  readonly desk: {
    lookUpOpen(): Promise<void>;
    missing(): readonly IntentRow[];
    lose(intent: IntentRow, reason: string): void;
  };
  /** The store's newest close of a symbol up to an exchange time; null where it has none of the day before. */
  readonly newestClose: (symbol: string, throughMs: number) => Promise<number | null>;
  /** Whether there is a limit on the day's loss, which is one sum of money. */
  readonly sumsLosses: boolean;
  readonly exchangeNowMs: () => number | null;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

/** Trades are asked for from so long before what is settled, exchange ms: clocks differ, and an order may fill late. */
const OVERLAP_MS = 60_000;
/** And from no longer ago than this: what is older was told by the venue itself, and shows in what the account holds. */
const LONGEST_LOOK_BACK_MS = 7 * 86_400_000;
/** A difference counts once it was seen so often in a row: a trade shows in the account's parts at different moments. */
const LOOKS = 3;
const LOOK_AGAIN_MS = 1000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
/** Differences told in one message. */
const MOST_TOLD = 5;

/**
 * Compares journal and venue before a live runner trades: what was filled while it was down is taken in, and what cannot be
 * explained stops it. A broker without an account (a simulation) has nothing to compare.
 */
export class Reconciler {
  readonly #deps: ReconcilerDeps;
  readonly #acceptBroker: boolean;
  readonly #pauses: Pauses;
  #waitingFor: string | null = null;

  constructor(deps: ReconcilerDeps, acceptBroker: boolean) {
    this.#deps = deps;
    this.#acceptBroker = acceptBroker;
    this.#pauses = new Pauses(deps.timers);
  }

  /** What it waits for; null where it does not. */
  get waitingFor(): string | null {
    return this.#waitingFor;
  }

  /**
   * `knownTimeMs` is an exchange time that has certainly passed, null where none is known. Resolves once journal and venue agree;
   * waits, with growing pauses, for as long as the venue tells nothing. Throws TradingHalt where they do not agree (unless the
   * venue's word is to be taken), "usage" where the symbols are not named, "try-again" once closed, JournalHalted.
   */
  async run(knownTimeMs: number | null): Promise<void> {
    const { journal, broker, ledger, log } = this.#deps;
    const { symbols } = journal.binding;
    const named = symbols === "all" ? [] : symbols;
    const settledMs = journal.settledThrough() ?? knownTimeMs ?? 0;
    const fromMs = Math.max(settledMs, (knownTimeMs ?? 0) - LONGEST_LOOK_BACK_MS);
    const sinceMs = Math.max(0, fromMs - broker.validityWindowMs - OVERLAP_MS);
    const beganMs = this.#deps.clock.monotonicMs();
    let beganAtMs: number | null = null;
    for (let looks = 1; ; looks++) {
      const account = await this.#account(named, sinceMs);
      if (account === null) return;
      if (symbols === "all")
        throw new FabricError(
          "usage",
          "Cannot trade live on every symbol: expected --symbols, to compare the account with",
        );
      refuseChains(named, account);
      if (this.#deps.sumsLosses) refuseSeveralQuotes(named, account);
      beganAtMs ??= this.#deps.exchangeNowMs();
      this.#takeIn(account);
      // The account was asked, hence the venue's clock is known: only now can an order be older than its validity window.
      await this.#deps.desk.lookUpOpen();
      const facts = this.#facts(named, sinceMs);
      const found = differencesOf(facts, account);
      const throughMs = Math.max(settledMs, this.#deps.exchangeNowMs() ?? knownTimeMs ?? 0);
      const settlement = { baseline: this.#newBaseline(facts, account), adjustments: [], waived: [], throughMs };
      if (found.length === 0) return ledger.settle(settlement);
      if (looks < LOOKS || this.#isUnsettled(beganMs, beganAtMs)) {
        this.#waitingFor = `comparing journal and venue: ${found[0]?.text}`;
        await this.#pauses.wait(LOOK_AGAIN_MS);
        continue;
      }
      if (!this.#acceptBroker) throw disagreement(found);
      for (const { text } of found) log.warn(`The venue's word is taken (--accept-broker): ${text}`);
      return ledger.settle({ ...settlement, ...(await this.#inFavourOfVenue(found, throughMs)) });
    }
  }

  /** Ends any waiting at once: it rejects with "try-again". Idempotent. */
  close(): void {
    this.#pauses.close();
  }

  /**
   * Whether an order whose outcome is open may still explain a difference: its fill could be in what the account holds, and not
   * in what it tells of trades. After the validity window, which is of exchange time, it has come to life or never will.
   */
  #isUnsettled(beganMs: number, beganAtMs: number | null): boolean {
    const { ledger, broker, clock, exchangeNowMs } = this.#deps;
    const nowMs = exchangeNowMs();
    const passedMs = nowMs !== null && beganAtMs !== null ? nowMs - beganAtMs : clock.monotonicMs() - beganMs;
    if (passedMs > broker.validityWindowMs) return false;
    return ledger.activeSymbols().some((symbol) => ledger.active(symbol).some(({ status }) => status !== "pending"));
  }

  /** Null where there is no account. */
  async #account(symbols: readonly string[], sinceMs: number): Promise<KnownAccount | null> {
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_RETRY_MS)) {
      const asked = this.#deps.broker.account(symbols, sinceMs);
      if (asked === null) return null;
      const outcome = await asked.catch(
        (error: unknown): AccountOutcome => ({ type: "unknown", reason: messageOf(error) }),
      );
      if (outcome.type === "known") {
        this.#waitingFor = null;
        return outcome;
      }
      if (this.#waitingFor === null)
        this.#deps.log.warn(`Waiting for the venue's account, nothing is traded meanwhile: ${outcome.reason}`);
      this.#waitingFor = `waiting for the venue's account: ${outcome.reason}`;
      await this.#pauses.wait(delayMs);
    }
  }

  /** Trades and open orders of ours are what happened while we were not there. */
  #takeIn(account: KnownAccount): void {
    const { journal, learn } = this.#deps;
    for (const trade of account.trades) {
      const intent = journal.intent(trade.clientOrderId);
      if (!intent) continue;
      if (intent.symbol !== trade.symbol || intent.side !== trade.side)
        throw new TradingHalt(
          `The account tells of trade ${trade.fillId}, ${trade.side} ${trade.symbol}, for order ${trade.clientOrderId}, ` +
            `which the journal has as ${intent.side} ${intent.symbol}; nothing is sent. Compare both with the venue's own records`,
        );
      learn(trade.clientOrderId, { status: "open", reason: null, fills: [trade], whole: false });
    }
    for (const { clientOrderId } of account.openOrders) {
      const status = journal.intent(clientOrderId)?.status;
      if (status === "unknown" || status === "lost")
        learn(clientOrderId, { status: "open", reason: null, fills: [], whole: false });
    }
  }

  #facts(symbols: readonly string[], sinceMs: number): JournalFacts {
    const { journal, ledger } = this.#deps;
    return {
      symbols,
      baseline: journal.baseline(),
      held: (symbol) => ledger.book(symbol).quantity,
      intent: (id) => journal.intent(id),
      fills: journal.fillsSentSince(sinceMs + OVERLAP_MS),
      isWaived: (kind, id) => journal.isWaived(kind, id),
      missing: this.#deps.desk.missing(),
    };
  }

  /** What the account held before anything of ours, for symbols without it. */
  #newBaseline(facts: JournalFacts, account: KnownAccount): readonly BaselineRow[] {
    return [...byBaseAsset(facts.symbols, account).values()].flatMap((group) => {
      const traded = group.reduce((sum, symbol) => sum.plus(facts.held(symbol)), decimal("0"));
      return group
        .filter((symbol) => !facts.baseline.has(symbol))
        .map((symbol) => ({
          symbol,
          quantity: decimalText(decimal(account.holdings.get(symbol) ?? "0").minus(traded)),
        }));
    });
  }

  async #inFavourOfVenue(
    found: readonly Difference[],
    exchangeMs: number,
  ): Promise<Pick<Settlement, "adjustments" | "waived">> {
    const adjustments: FillRow[] = [];
    const waived: Settlement["waived"][number][] = [];
    const before = this.#deps.journal.adjustmentCount();
    for (const { settledBy, text } of found) {
      if (settledBy.type === "lose") this.#deps.desk.lose(settledBy.intent, "the venue does not know it");
      else if (settledBy.type === "waive") waived.push({ kind: settledBy.kind, id: settledBy.id });
      else {
        const fillId = `adjustment-${before + adjustments.length + 1}`;
        adjustments.push(await this.#adjustment(fillId, settledBy, text, exchangeMs));
      }
    }
    return { adjustments, waived };
  }

  /**
   * At the average price where it makes the position smaller, so that it brings no profit or loss; else at the store's newest close.
   * Throws TradingHalt where no price is known: at none, the whole worth would count as profit, and hide a loss.
   */
  async #adjustment(
    fillId: string,
    { symbol, quantity }: Extract<Difference["settledBy"], { type: "adjust" }>,
    reason: string,
    exchangeMs: number,
  ): Promise<FillRow> {
    const { ledger, clock } = this.#deps;
    const held = ledger.book(symbol).quantity;
    const isSmaller = held.times(quantity).lt("0") && held.plus(quantity).times(held).gte("0");
    const close = isSmaller ? null : ((await this.#deps.newestClose(symbol, exchangeMs)) ?? ledger.lastPrice(symbol));
    const price = close === null ? ledger.position(symbol).averagePrice : decimalText(decimalOfPrice(close));
    if (decimal(price).eq("0"))
      throw new TradingHalt(
        `Cannot take the venue's word for ${symbol}: the store has no close of it to value the adjustment at. ` +
          "Let market-data follow it for a minute, then restart with --accept-broker",
      );
    return {
      fillId,
      clientOrderId: null,
      symbol,
      side: quantity.gt("0") ? "buy" : "sell",
      candleOpenTime: ledger.nextMinute(symbol) ?? 0,
      price,
      quantity: decimalText(quantity.abs()),
      fee: "0",
      baseFee: null,
      filledAt: exchangeMs,
      journaledAt: clock.nowMs(),
      reason,
    };
  }
}

/** Where one symbol's base asset pays for another symbol, its holdings follow from both, which is not worked out here. */
function refuseChains(symbols: readonly string[], { baseAssets }: KnownAccount): void {
  const bases = new Set(baseAssets.values());
  for (const symbol of symbols) {
    const base = baseAssets.get(symbol);
    const paidIn =
      base !== undefined && symbol.startsWith(base) ? symbol.slice(base.length).replace(/^[^A-Z0-9]/, "") : null;
    if (paidIn !== null && bases.has(paidIn))
      throw new FabricError(
        "usage",
        `Cannot trade ${symbol} beside a symbol of ${paidIn}: its orders change what the account holds of ${paidIn}; ` +
          "run them under two --name on two accounts",
      );
  }
}

/** A loss in one currency and a loss in another add up to nothing. */
function refuseSeveralQuotes(symbols: readonly string[], { baseAssets }: KnownAccount): void {
  const quotes = new Set(symbols.map((symbol) => symbol.slice(baseAssets.get(symbol)?.length ?? 0)));
  if (quotes.size < 2) return;
  throw new FabricError(
    "config",
    `Cannot hold a daily loss over symbols that are paid in ${[...quotes].sort().join(" and ")}: expected one quote asset; ` +
      "run them under two --name, or set --max-daily-loss none",
  );
}

function disagreement(found: readonly Difference[]): TradingHalt {
  const told = found.slice(0, MOST_TOLD).map(({ text }) => text);
  const more = found.length > MOST_TOLD ? `; and ${found.length - MOST_TOLD} more` : "";
  return new TradingHalt(
    `Cannot trade: journal and venue disagree. ${told.join("; ")}${more}. ` +
      "Set it right at the venue and restart the runner, or restart it with --accept-broker, which adjusts the journal to the venue",
  );
}
