import type { OpenSqlite, SqlDatabase, SqlValue } from "../../../core/env.ts";
import { FabricError, messageOf } from "../../../core/errors.ts";
import { isOpen, type VenueOrder, type VenueSide, type VenueStatus, type VenueTrade } from "./orders.ts";

/** Kept in the exchange's data folder. */
export const ACCOUNT_FILE = "sim-account.sqlite";

const VERSION = "2";
const SCHEMA = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE balance (asset TEXT PRIMARY KEY, free TEXT NOT NULL) STRICT;
  CREATE TABLE orders (order_id INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
    quantity TEXT NOT NULL, executed TEXT NOT NULL, quote TEXT NOT NULL, status TEXT NOT NULL, time INTEGER NOT NULL,
    updated INTEGER NOT NULL, tape_id INTEGER NOT NULL) STRICT;
  CREATE INDEX orders_by_client ON orders (symbol, client_order_id);
  CREATE INDEX orders_open ON orders (status) WHERE status IN ('NEW', 'PARTIALLY_FILLED');
  CREATE TABLE trade (trade_id INTEGER NOT NULL, order_id INTEGER NOT NULL, symbol TEXT NOT NULL,
    side TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL, quote TEXT NOT NULL, commission TEXT NOT NULL,
    commission_asset TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (symbol, trade_id)) STRICT;
  CREATE INDEX trade_by_order ON trade (order_id);
`;

const KEEP_ORDER = `INSERT INTO orders VALUES (${"?, ".repeat(10)}?) ON CONFLICT (order_id) DO UPDATE SET
  executed = excluded.executed, quote = excluded.quote, status = excluded.status, updated = excluded.updated,
  tape_id = excluded.tape_id`;

export interface AccountOpening {
  /** A file's path, or ":memory:". */
  readonly path: string;
  /** Counts of 10^-8 by asset, for a new account. */
  readonly balances: ReadonlyMap<string, bigint>;
}

/** Which of an account's trades: all bounds are inclusive; null leaves one out. */
export interface TradeQuery {
  readonly symbol: string;
  readonly orderId: number | null;
  readonly fromId: number | null;
  readonly startTime: number | null;
  readonly endTime: number | null;
  readonly limit: number;
}

/**
 * The account of the simulated exchange: balances, orders and trades, exact and durable (one SQLite file, synchronous = FULL;
 * every change is on disk before anybody hears of it, as at a real venue). It keeps all its orders, in the file and not in
 * memory.
 */
export class AccountBook {
  readonly #database: SqlDatabase;
  readonly #balances = new Map<string, bigint>();
  readonly #open = new Map<number, VenueOrder>();
  #lastOrderId: number;
  readonly #lastTradeIds = new Map<string, number>();
  #orders: number;

  /**
   * Opens or makes it. Throws FabricError "config" for a file that is none, "refused" where it began with other balances
   * than those asked for, "io".
   */
  constructor(openSqlite: OpenSqlite, { path, balances }: AccountOpening) {
    this.#database = openSqlite(path, { readOnly: false });
    try {
      this.#prepare(path, balances);
      for (const row of this.#database.prepare("SELECT asset, free FROM balance").all())
        this.#balances.set(String(row.asset), BigInt(String(row.free)));
      for (const order of this.#select("status IN ('NEW', 'PARTIALLY_FILLED')", []))
        this.#open.set(order.orderId, order);
      this.#lastOrderId = Number(
        this.#database.prepare("SELECT coalesce(max(order_id), 0) AS last FROM orders").get()?.last,
      );
      for (const row of this.#database.prepare("SELECT symbol, max(trade_id) AS last FROM trade GROUP BY symbol").all())
        this.#lastTradeIds.set(String(row.symbol), Number(row.last));
      this.#orders = this.#lastOrderId;
    } catch (error) {
      this.#database.close();
      if (error instanceof FabricError) throw error;
      throw new FabricError("io", `Cannot open the simulated account ${path}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Orders taken so far. */
  get orders(): number {
    return this.#orders;
  }

  nextOrderId(): number {
    return ++this.#lastOrderId;
  }

  /** Rising from 1 for each symbol, as a venue's trade ids are a symbol's. */
  nextTradeId(symbol: string): number {
    const next = (this.#lastTradeIds.get(symbol) ?? 0) + 1;
    this.#lastTradeIds.set(symbol, next);
    return next;
  }

  balance(asset: string): bigint {
    return this.#balances.get(asset) ?? 0n;
  }

  /** By asset, sorted. */
  balances(): readonly (readonly [string, bigint])[] {
    return [...this.#balances].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** The orders that are not final, oldest first; of one symbol, or of all. */
  openOrders(symbol: string | null = null): readonly VenueOrder[] {
    return [...this.#open.values()].filter((order) => symbol === null || order.symbol === symbol);
  }

  order(symbol: string, orderId: number): VenueOrder | null {
    return this.#select("symbol = ? AND order_id = ?", [symbol, orderId])[0] ?? null;
  }

  /** The newest of this id: an id may be used again once its order is final. */
  orderByClientId(symbol: string, clientOrderId: string): VenueOrder | null {
    const where = "symbol = ? AND client_order_id = ? ORDER BY order_id DESC LIMIT 1";
    return this.#select(where, [symbol, clientOrderId])[0] ?? null;
  }

  /** By rising id from `fromId` on, or the newest. */
  ordersOf(symbol: string, fromId: number | null, limit: number): readonly VenueOrder[] {
    if (fromId !== null)
      return this.#select("symbol = ? AND order_id >= ? ORDER BY order_id LIMIT ?", [symbol, fromId, limit]);
    return this.#select("symbol = ? ORDER BY order_id DESC LIMIT ?", [symbol, limit]).reverse();
  }

  /** By rising id: from the lower bound on where there is one, else the newest. */
  trades({ symbol, orderId, fromId, startTime, endTime, limit }: TradeQuery): readonly VenueTrade[] {
    const bounds: readonly (readonly [string, number | null])[] = [
      ["order_id = ?", orderId],
      ["trade_id >= ?", fromId],
      ["time >= ?", startTime],
      ["time <= ?", endTime],
    ];
    const given = bounds.filter(([, value]) => value !== null);
    const forward = fromId !== null || startTime !== null || orderId !== null;
    const where = ["symbol = ?", ...given.map(([condition]) => condition)].join(" AND ");
    const rows = this.#database
      .prepare(`SELECT * FROM trade WHERE ${where} ORDER BY trade_id ${forward ? "" : "DESC"} LIMIT ?`)
      .all(symbol, ...given.map(([, value]) => value), limit)
      .map(tradeFrom);
    return forward ? rows : rows.reverse();
  }

  /** Keeps an order as it now is, its new trades, and the balances they change, all or nothing. Blocks for the disk. */
  commit(order: VenueOrder, trades: readonly VenueTrade[], changes: ReadonlyMap<string, bigint>): void {
    const balances = [...changes].map(([asset, change]) => [asset, this.balance(asset) + change] as const);
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      this.#database.prepare(KEEP_ORDER).run(...orderValues(order));
      const insert = this.#database.prepare(`INSERT INTO trade VALUES (${"?, ".repeat(9)}?)`);
      for (const trade of trades) insert.run(...tradeValues(trade));
      const set = this.#database.prepare("INSERT OR REPLACE INTO balance VALUES (?, ?)");
      for (const [asset, free] of balances) set.run(asset, String(free));
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
    for (const [asset, free] of balances) this.#balances.set(asset, free);
    this.#orders = Math.max(this.#orders, order.orderId);
    if (isOpen(order.status)) this.#open.set(order.orderId, order);
    else this.#open.delete(order.orderId);
  }

  close(): void {
    this.#database.close();
  }

  #prepare(path: string, balances: ReadonlyMap<string, bigint>): void {
    const asked = JSON.stringify([...balances].map(([asset, free]) => [asset, String(free)]).sort());
    this.#database.exec("PRAGMA journal_mode = WAL");
    this.#database.exec("PRAGMA synchronous = FULL");
    const tables = Number(this.#database.prepare("SELECT count(*) AS n FROM sqlite_master").get()?.n);
    if (tables === 0) {
      this.#database.exec("BEGIN IMMEDIATE");
      this.#database.exec(SCHEMA);
      const meta = this.#database.prepare("INSERT INTO meta VALUES (?, ?)");
      meta.run("version", VERSION);
      meta.run("opening", asked);
      const insert = this.#database.prepare("INSERT INTO balance VALUES (?, ?)");
      for (const [asset, free] of balances) insert.run(asset, String(free));
      this.#database.exec("COMMIT");
      return;
    }
    const meta = new Map(
      this.#database
        .prepare("SELECT key, value FROM meta")
        .all()
        .map((row) => [row.key, row.value]),
    );
    if (meta.get("version") !== VERSION)
      throw new FabricError(
        "config",
        `Cannot use ${path}: expected a version ${VERSION} account of the simulated exchange`,
      );
    if (meta.get("opening") !== asked)
      throw new FabricError(
        "refused",
        `Cannot run the simulated account with other balances: ${path} began with ${String(meta.get("opening"))}, asked was ${asked} (10^-8 each); ask for those, or use another data folder`,
      );
  }

  #select(where: string, values: readonly SqlValue[]): VenueOrder[] {
    return this.#database
      .prepare(`SELECT * FROM orders WHERE ${where}`)
      .all(...values)
      .map(orderFrom);
  }
}

type Row = Readonly<Record<string, SqlValue>>;

function orderFrom(row: Row): VenueOrder {
  return {
    orderId: Number(row.order_id),
    clientOrderId: String(row.client_order_id),
    symbol: String(row.symbol),
    side: row.side as VenueSide,
    quantity: BigInt(String(row.quantity)),
    executed: BigInt(String(row.executed)),
    quote: BigInt(String(row.quote)),
    status: row.status as VenueStatus,
    timeMs: Number(row.time),
    updatedMs: Number(row.updated),
    tapeId: Number(row.tape_id),
  };
}

function orderValues(order: VenueOrder): SqlValue[] {
  const { orderId, clientOrderId, symbol, side, quantity, executed, quote, status, timeMs, updatedMs, tapeId } = order;
  const amounts = [quantity, executed, quote].map(String);
  return [orderId, clientOrderId, symbol, side, ...amounts, status, timeMs, updatedMs, tapeId];
}

function tradeFrom(row: Row): VenueTrade {
  return {
    tradeId: Number(row.trade_id),
    orderId: Number(row.order_id),
    symbol: String(row.symbol),
    side: row.side as VenueSide,
    price: BigInt(String(row.price)),
    quantity: BigInt(String(row.quantity)),
    quote: BigInt(String(row.quote)),
    commission: BigInt(String(row.commission)),
    commissionAsset: String(row.commission_asset),
    timeMs: Number(row.time),
  };
}

function tradeValues(trade: VenueTrade): SqlValue[] {
  const { tradeId, orderId, symbol, side, price, quantity, quote, commission, commissionAsset, timeMs } = trade;
  const amounts = [price, quantity, quote, commission].map(String);
  return [tradeId, orderId, symbol, side, ...amounts, commissionAsset, timeMs];
}
