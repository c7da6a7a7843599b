import { messageOf } from "../../core/errors.ts";
import type { BrokerFill, BrokerOrder, LookupOutcome, SubmitOutcome } from "../broker.ts";
import { decimal } from "../decimal.ts";
import type { CommissionDesk } from "./commission.ts";
import { type Row, rowOf, rowsOf, Unreadable, wholeOf } from "./fields.ts";
import {
  answeredFills,
  differenceOf,
  type FillContext,
  readOrder,
  tradedFill,
  type VenueOrder,
} from "./order-reader.ts";
import { CODES, type Reply, refusalText } from "./reply.ts";
import type { Parameters } from "./signing.ts";
import type { SymbolRuleBook, SymbolRules } from "./symbol-rules.ts";
import { reasonOf, type VenueRest } from "./venue-rest.ts";

export interface OrderCallsDeps {
  readonly rest: VenueRest;
  readonly rules: SymbolRuleBook;
  readonly fees: CommissionDesk;
}

const RETRY_SOON_MS = 1000;
/** Trades of one order read at once, and pages of them: an order with more is not read, and says so. */
const PAGE = 1000;
const MAX_PAGES = 10;

/** New order and query order, with the venue's word on each turned into the broker's. */
export class OrderCalls {
  readonly #deps: OrderCallsDeps;
  #refusedHere = 0;
  #unreadable = 0;

  constructor(deps: OrderCallsDeps) {
    this.#deps = deps;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      "venue.orders.refused.here.total": this.#refusedHere,
      "venue.answers.unreadable.total": this.#unreadable,
    };
  }

  /** POST /api/v3/order, once the symbol's filters let the quantity pass. `askedAtMs`: monotonic. */
  async submit(order: BrokerOrder, askedAtMs: number, withheld: () => string | null): Promise<SubmitOutcome> {
    const { rules, rest } = this.#deps;
    const answer = await rules.rulesOf(order.symbol);
    if (answer.type === "refused") return this.#refuseHere(answer.reason);
    if (answer.type === "unknown") return { type: "busy", reason: answer.reason, retryAfterMs: RETRY_SOON_MS };
    const fault = await rules.faultOf(order.symbol, answer.rules, order.quantity);
    if (fault !== null) return this.#refuseHere(fault);
    const reply = await rest.signed("POST", "/api/v3/order", newOrder(order), askedAtMs, withheld);
    switch (reply.type) {
      case "ok":
        return this.#accepted(order, reply.body, answer.rules);
      case "refused":
        return this.#refused(order, reply);
      case "limited":
        return { type: "busy", reason: reply.message, retryAfterMs: reply.retryAfterMs };
      case "unsent":
        return { type: "busy", reason: reply.reason, retryAfterMs: reply.retryAfterMs };
      default:
        return { type: "unknown", reason: reply.reason };
    }
  }

  /** GET /api/v3/order by the client's id, and where something was filled GET /api/v3/myTrades of it. */
  async lookup(order: BrokerOrder): Promise<LookupOutcome> {
    const reply = await this.#deps.rest.signed("GET", "/api/v3/order", [
      ["symbol", order.symbol],
      ["origClientOrderId", order.clientOrderId],
    ]);
    if (reply.type === "refused" && isUnknownOrder(reply)) return { type: "not-found" };
    // Binance keeps what ended without a fill for 90 days.
    if (reply.type === "refused" && reply.code === CODES.archived)
      return { type: "found", status: "rejected", reason: refusalText(reply), fills: [] };
    if (reply.type !== "ok") return { type: "unknown", reason: reasonOf(reply) };
    try {
      const found = readOrder(rowOf(reply.body));
      const difference = differenceOf(order, found);
      if (difference !== null) return { type: "unknown", reason: difference };
      const fills = decimal(found.executed).gt("0") ? await this.#fillsOf(order, found) : [];
      return { type: "found", status: found.status, reason: found.reason, fills };
    } catch (error) {
      return { type: "unknown", reason: this.#couldNotRead(error) };
    }
  }

  async #accepted(order: BrokerOrder, body: unknown, rules: SymbolRules): Promise<SubmitOutcome> {
    try {
      const row = rowOf(body);
      const found = readOrder(row);
      const difference = differenceOf(order, found);
      if (difference !== null) return { type: "unknown", reason: difference };
      if (found.status === "rejected" && decimal(found.executed).eq("0"))
        return { type: "rejected", reason: found.reason ?? "rejected" };
      return { type: "accepted", fills: await answeredFills(row, this.#context(order, found, rules)) };
    } catch (error) {
      return { type: "unknown", reason: this.#couldNotRead(error) };
    }
  }

  #refused(order: BrokerOrder, reply: Extract<Reply, { type: "refused" }>): SubmitOutcome {
    // The id is ours alone: an open order that has it is this one, out of an earlier attempt.
    if (reply.code === CODES.newOrderRejected && /^Duplicate order/i.test(reply.message))
      return { type: "unknown", reason: `the venue has an open order of this id already: ${refusalText(reply)}` };
    if (reply.code === CODES.filter) this.#deps.rules.forget(order.symbol);
    return { type: "rejected", reason: refusalText(reply) };
  }

  #refuseHere(reason: string): SubmitOutcome {
    this.#refusedHere++;
    return { type: "rejected", reason };
  }

  /** All trades of an order. Throws Unreadable, also where the list lags behind the order's own sum ("Data Sources"). */
  async #fillsOf(order: BrokerOrder, found: VenueOrder): Promise<readonly BrokerFill[]> {
    const { rules, rest } = this.#deps;
    const answer = await rules.rulesOf(order.symbol);
    if (answer.type !== "known") throw new Unreadable(answer.reason);
    const context = this.#context(order, found, answer.rules);
    const fills: BrokerFill[] = [];
    let from: Parameters = [];
    for (let page = 0; page < MAX_PAGES; page++) {
      const ofOrder: Parameters = [
        ["symbol", order.symbol],
        ["orderId", String(found.orderId)],
        ["limit", String(PAGE)],
      ];
      const reply = await rest.signed("GET", "/api/v3/myTrades", [...ofOrder, ...from]);
      if (reply.type !== "ok") throw new Unreadable(`no trades of order ${found.orderId}: ${reasonOf(reply)}`);
      const rows = rowsOf(reply.body);
      fills.push(...(await Promise.all(rows.map((row) => tradedFill(row, context)))));
      const last: Row | undefined = rows.at(-1);
      if (rows.length < PAGE || last === undefined) break;
      from = [["fromId", String(wholeOf(last, "id") + 1)]];
    }
    const sum = fills.reduce((total, { quantity }) => total.plus(quantity), decimal("0"));
    if (sum.eq(found.executed)) return fills;
    throw new Unreadable(`trades of ${sum.toFixed()} so far, of an order that counts ${found.executed} as executed`);
  }

  #context(order: BrokerOrder, { workingTimeMs }: VenueOrder, rules: SymbolRules): FillContext {
    const { symbol, clientOrderId } = order;
    return { symbol, clientOrderId, workingTimeMs, rules, fees: this.#deps.fees };
  }

  /** A bug is told as it is; what the venue sent is told as unreadable. */
  #couldNotRead(error: unknown): string {
    if (!(error instanceof Unreadable)) throw error;
    this.#unreadable++;
    return messageOf(error);
  }
}

function newOrder({ symbol, side, quantity, clientOrderId }: BrokerOrder): Parameters {
  return [
    ["symbol", symbol],
    ["side", side === "buy" ? "BUY" : "SELL"],
    ["type", "MARKET"],
    ["quantity", quantity],
    ["newClientOrderId", clientOrderId],
    ["newOrderRespType", "FULL"],
  ];
}

/** -2013, and the engine's own words for the same under -2010 and -2011. */
function isUnknownOrder({ code, message }: Extract<Reply, { type: "refused" }>): boolean {
  if (code === CODES.noSuchOrder) return true;
  const byEngine = code === CODES.newOrderRejected || code === CODES.cancelRejected;
  return byEngine && /^Unknown order sent/i.test(message);
}
