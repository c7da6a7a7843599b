import type { Candle } from "../core/candle.ts";
import { FabricError } from "../core/errors.ts";
import type { Broker, BrokerFill, BrokerOrder, LookupOutcome, SubmitOutcome } from "./broker.ts";
import { type DecimalValue, decimal, decimalOfPrice, moneyText } from "./decimal.ts";

export interface PaperModel {
  /** Of the notional, paid in the quote asset. Default 10 (0.1 %, Binance spot's standard taker fee). */
  readonly feeBps?: number;
  /** Against us: buys pay more, sells get less. Default 1 (0.01 %). */
  readonly slippageBps?: number;
}

const DEFAULT_FEE_BPS = 10;
const DEFAULT_SLIPPAGE_BPS = 1;

/**
 * Simulated execution at the market: an order fills in full at the open of its symbol's next delivered candle that has
 * trades, moved by the slippage, less the fee. Price and fee are rounded half up to 12 decimals. It keeps no state of its own:
 * orders on their way live in the journal.
 */
export class PaperBroker implements Broker {
  readonly mode = "paper";
  readonly catchesUp = true;
  readonly validityWindowMs = 0;
  readonly #fee: DecimalValue;
  readonly #slippage: DecimalValue;

  /** Throws FabricError "usage" where a figure is not from 0 to 1,000 basis points. */
  constructor(model: PaperModel = {}) {
    this.#fee = fraction(model.feeBps ?? DEFAULT_FEE_BPS, "feeBps");
    this.#slippage = fraction(model.slippageBps ?? DEFAULT_SLIPPAGE_BPS, "slippageBps");
  }

  submit(): Promise<SubmitOutcome> {
    return Promise.resolve({ type: "accepted", fills: [] });
  }

  lookup(): Promise<LookupOutcome> {
    return Promise.resolve({ type: "not-found" });
  }

  account(): null {
    return null;
  }

  follow(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  fillsAt(candle: Candle, open: readonly BrokerOrder[]): readonly BrokerFill[] {
    return candle.trades > 0 ? open.map((order) => this.#fill(order, candle)) : [];
  }

  #fill(order: BrokerOrder, candle: Candle): BrokerFill {
    const factor = order.side === "buy" ? decimal("1").plus(this.#slippage) : decimal("1").minus(this.#slippage);
    const price = moneyText(decimalOfPrice(candle.open).times(factor));
    return {
      fillId: `${order.clientOrderId}-1`,
      clientOrderId: order.clientOrderId,
      price,
      quantity: order.quantity,
      fee: moneyText(decimal(price).times(order.quantity).times(this.#fee)),
    };
  }
}

function fraction(basisPoints: number, what: string): DecimalValue {
  if (!(basisPoints >= 0 && basisPoints <= 1000))
    throw new FabricError("usage", `Bad paper ${what}: expected 0 to 1000 basis points, found ${basisPoints}`);
  return decimal(String(basisPoints)).div("10000");
}
