import { messageOf } from "../../core/errors.ts";
import type { AccountOutcome } from "../broker.ts";
import { decimal, decimalText } from "../decimal.ts";
import type { CommissionDesk } from "./commission.ts";
import { decimalOf, type Row, rowOf, rowsOf, textOf, Unreadable, wholeOf } from "./fields.ts";
import { readOrder, tradedFill, type VenueOrder } from "./order-reader.ts";
import type { Parameters } from "./signing.ts";
import type { SymbolRuleBook, SymbolRules } from "./symbol-rules.ts";
import { reasonOf, type VenueRest } from "./venue-rest.ts";

export interface AccountReaderDeps {
  readonly rest: VenueRest;
  readonly rules: SymbolRuleBook;
  readonly fees: CommissionDesk;
}

type Known = Extract<AccountOutcome, { type: "known" }>;
type Trade = Known["trades"][number];

/** Rows asked for at once, Binance's most; and pages of one list: a longer list is not read, and says so. */
const PAGE = 1000;
const MAX_PAGES = 50;
const MOST_TRIES = 3;

/**
 * The account as the venue tells it: GET /api/v3/account, openOrders, myTrades and (for the client ids of the trades' orders,
 * which trades do not carry) allOrders. `unknown` with the reason where any of it is not to be had in full.
 */
export async function readAccount(
  deps: AccountReaderDeps,
  symbols: readonly string[],
  sinceMs: number,
): Promise<AccountOutcome> {
  try {
    const balances = await readBalances(deps);
    const openOrders = await readOpenOrders(deps, symbols);
    const baseAssets = new Map<string, string>();
    const holdings = new Map<string, string>();
    const trades: Trade[] = [];
    for (const symbol of symbols) {
      const rules = await rulesOf(deps, symbol);
      baseAssets.set(symbol, rules.base);
      holdings.set(symbol, balances.get(rules.base) ?? "0");
      trades.push(...(await readTrades(deps, symbol, rules, sinceMs)));
    }
    trades.sort((a, b) => a.timeMs - b.timeMs);
    return { type: "known", openOrders, baseAssets, holdings, trades };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { type: "unknown", reason: messageOf(error) };
  }
}

/** One request for each of a few symbols, or one for all: a symbol weighs 6, all of them 80. */
async function readOpenOrders(deps: AccountReaderDeps, symbols: readonly string[]): Promise<Known["openOrders"]> {
  const each: readonly Parameters[] = symbols.length > 13 ? [[]] : symbols.map((symbol) => [["symbol", symbol]]);
  const rows: Row[] = [];
  for (const where of each) rows.push(...rowsOf(await ask(deps, "/api/v3/openOrders", where)));
  const orders = rows.map((row) => ({ clientOrderId: textOf(row, "clientOrderId"), symbol: textOf(row, "symbol") }));
  return orders.filter(({ symbol }) => symbols.includes(symbol));
}

/** Free and locked of every asset. */
async function readBalances(deps: AccountReaderDeps): Promise<ReadonlyMap<string, string>> {
  const body = rowOf(await ask(deps, "/api/v3/account", [["omitZeroBalances", "true"]]));
  return new Map(
    rowsOf(body.balances).map((row) => {
      const held = decimal(decimalOf(row, "free")).plus(decimalOf(row, "locked"));
      return [textOf(row, "asset"), decimalText(held)];
    }),
  );
}

async function readTrades(
  deps: AccountReaderDeps,
  symbol: string,
  rules: SymbolRules,
  sinceMs: number,
): Promise<readonly Trade[]> {
  const from: Parameters = [["startTime", String(Math.max(0, Math.floor(sinceMs)))]];
  const rows = await readPages(deps, "/api/v3/myTrades", symbol, from, (id) => [["fromId", id]], "id");
  const [oldest] = rows.map((row) => wholeOf(row, "orderId")).sort((a, b) => a - b);
  if (oldest === undefined) return [];
  const orders = new Map<number, VenueOrder>();
  const first: Parameters = [["orderId", String(oldest)]];
  for (const row of await readPages(deps, "/api/v3/allOrders", symbol, first, (id) => [["orderId", id]], "orderId")) {
    const order = readOrder(row);
    orders.set(order.orderId, order);
  }
  return Promise.all(
    rows.map(async (row): Promise<Trade> => {
      const order = orders.get(wholeOf(row, "orderId"));
      if (!order) throw new Unreadable(`a trade of order ${wholeOf(row, "orderId")}, which it does not list`);
      const { clientOrderId, workingTimeMs, side } = order;
      const fill = await tradedFill(row, { symbol, clientOrderId, workingTimeMs, rules, fees: deps.fees });
      return { ...fill, symbol, side, timeMs: wholeOf(row, "time") };
    }),
  );
}

/** A whole list by rising id, page by page. */
async function readPages(
  deps: AccountReaderDeps,
  path: string,
  symbol: string,
  first: Parameters,
  next: (id: string) => Parameters,
  idName: string,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let where = first;
  for (let page = 0; page < MAX_PAGES; page++) {
    const found = rowsOf(await ask(deps, path, [["symbol", symbol], ...where, ["limit", String(PAGE)]]));
    rows.push(...found);
    const last = found.at(-1);
    if (found.length < PAGE || last === undefined) return rows;
    where = next(String(wholeOf(last, idName) + 1));
  }
  throw new Unreadable(`over ${MAX_PAGES * PAGE} rows of ${path} for ${symbol} since then: ask for less`);
}

async function rulesOf({ rules }: AccountReaderDeps, symbol: string): Promise<SymbolRules> {
  const answer = await rules.rulesOf(symbol);
  if (answer.type !== "known") throw new Unreadable(answer.reason);
  return answer.rules;
}

/** Asks again where the answer got lost: reading twice changes nothing, and one loss would cost the whole account. */
async function ask({ rest }: AccountReaderDeps, path: string, parameters: Parameters): Promise<unknown> {
  for (let tries = 1; ; tries++) {
    const reply = await rest.signed("GET", path, parameters);
    if (reply.type === "ok") return reply.body;
    if (reply.type !== "unclear" || tries === MOST_TRIES) throw new Unreadable(`no ${path}: ${reasonOf(reply)}`);
  }
}
