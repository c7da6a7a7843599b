import { expect, test } from "bun:test";
import fc from "fast-check";
import { decimal, decimalText } from "../../src/execution/decimal.ts";
import { type Execution, PositionBook } from "../../src/execution/position-book.ts";

const amount = fc.bigInt({ min: 1n, max: 10n ** 10n }).map((units) => scaled(units, 8));
const execution: fc.Arbitrary<Execution> = fc.record({
  side: fc.constantFrom("buy" as const, "sell" as const),
  quantity: amount,
  price: fc.bigInt({ min: 1n, max: 10n ** 9n }).map((units) => scaled(units, 4)),
  fee: fc.bigInt({ min: 0n, max: 10n ** 6n }).map((units) => scaled(units, 8)),
  baseFee: fc.option(fc.bigInt({ min: 0n, max: 10n ** 5n }).map((units) => scaled(units, 8))),
});

test("A position is the sum of its fills: quantity exactly, and realised plus unrealised PnL to the last kept decimal", () => {
  fc.assert(
    fc.property(fc.array(execution, { maxLength: 40 }), fc.integer({ min: 1, max: 100_000 }), (fills, lastPrice) => {
      const row = new PositionBook("X").after(fills).row(lastPrice);
      // The model: whole units in BigInt, no averages at all.
      let units = 0n;
      let cash = 0n;
      for (const fill of fills) {
        const traded = unitsOf(fill.quantity, 8) * (fill.side === "buy" ? 1n : -1n);
        const quantity = traded - (fill.baseFee === null ? 0n : unitsOf(fill.baseFee, 8));
        units += quantity;
        cash -= quantity * unitsOf(fill.price, 4) + unitsOf(fill.fee, 12);
      }
      expect(decimal(row.quantity).eq(scaled(units, 8))).toBe(true);
      const total = decimal(row.realisedPnl).plus(row.unrealisedPnl);
      const expected = decimal(scaled(cash + units * BigInt(lastPrice) * 10n ** 4n, 12));
      expect(total.minus(expected).abs().lte("0.000000000002")).toBe(true);
    }),
  );
});

test("Once flat, the realised PnL is exactly the cash that went in and out", () => {
  fc.assert(
    fc.property(fc.array(execution, { minLength: 1, maxLength: 20 }), (fills) => {
      const open = new PositionBook("X").after(fills).position();
      if (open.quantity === "0") return;
      const side = open.quantity.startsWith("-") ? ("buy" as const) : ("sell" as const);
      const closing: Execution = {
        side,
        quantity: open.quantity.replace("-", ""),
        price: "7.5",
        fee: "0",
        baseFee: null,
      };
      const book = new PositionBook("X").after([...fills, closing]).position();
      const cash = [...fills, closing].reduce((sum, fill) => {
        const traded = fill.side === "buy" ? decimal(fill.quantity) : decimal("0").minus(fill.quantity);
        return sum.minus(traded.minus(fill.baseFee ?? "0").times(fill.price)).minus(fill.fee);
      }, decimal("0"));
      expect(book).toEqual({ symbol: "X", quantity: "0", averagePrice: "0", realisedPnl: decimalText(cash) });
    }),
  );
});

test("Average price and PnL follow a position through adding, a partial close and turning short", () => {
  const fill = (side: "buy" | "sell", quantity: string, price: string, fee = "0"): Execution => ({
    side,
    quantity,
    price,
    fee,
    baseFee: null,
  });
  const bought = new PositionBook("X").after([fill("buy", "1", "100", "0.1"), fill("buy", "1", "110", "0.11")]);
  expect(bought.row(120)).toEqual({
    symbol: "X",
    quantity: "2",
    averagePrice: "105",
    realisedPnl: "-0.21",
    unrealisedPnl: "30",
    lastPrice: 120,
  });
  const reduced = bought.after([fill("sell", "0.5", "120")]);
  expect(reduced.position()).toEqual({ symbol: "X", quantity: "1.5", averagePrice: "105", realisedPnl: "7.29" });
  const short = reduced.after([fill("sell", "2", "100")]);
  expect(short.position()).toEqual({ symbol: "X", quantity: "-0.5", averagePrice: "100", realisedPnl: "-0.21" });
  expect(short.row(90).unrealisedPnl).toBe("5");
  expect(short.row(null).unrealisedPnl).toBe("0");
});

test("A fee taken in the base asset leaves less to hold, and costs what the fee says", () => {
  const fill: Execution = { side: "buy", quantity: "2", price: "100", fee: "0.2", baseFee: "0.002" };
  const row = new PositionBook("X").after([fill]).row(100);
  expect([row.quantity, row.realisedPnl, row.unrealisedPnl]).toEqual(["1.998", "-0.2", "0"]);
});

test("Prices in exponent form and tiny quantities stay plain decimals", () => {
  const book = new PositionBook("X").after([
    { side: "buy", quantity: "0.000000000000000001", price: "1e-7", fee: "0", baseFee: null },
  ]);
  expect(book.position().quantity).toBe("0.000000000000000001");
  expect(book.row(1e-7).unrealisedPnl).toBe("0");
});

function unitsOf(text: string, decimals: number): bigint {
  const [whole = "0", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(decimals, "0"));
}

function scaled(units: bigint, decimals: number): string {
  const sign = units < 0n ? "-" : "";
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, "0");
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}
