import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { OrderStatus } from "../../src/core/decision.ts";
import type { BrokerFill } from "../../src/execution/broker.ts";
import { decimal } from "../../src/execution/decimal.ts";
import type { FillRow, IntentRow } from "../../src/execution/journal-rows.ts";
import { fillRow } from "../../src/execution/ledger.ts";
import { type OrderNews, TradingHalt, weighNews } from "../../src/execution/order-news.ts";

const ID = "f1";

function intent(status: OrderStatus, more: Partial<IntentRow> = {}): IntentRow {
  return {
    clientOrderId: ID,
    symbol: "BTCUSDT",
    openTime: 0,
    ordinal: 0,
    side: "buy",
    quantity: "2",
    status,
    reason: null,
    decidedAt: 60_000,
    sentAt: 60_001,
    refusal: null,
    wish: null,
    journaledAt: 1,
    sentWallAt: 2,
    ackAt: null,
    ackWallAt: null,
    ...more,
  };
}

function fill(fillId: string, quantity: string, more: Partial<BrokerFill> = {}): BrokerFill {
  return { fillId, clientOrderId: ID, price: "100", quantity, fee: "0", ...more };
}

/** A journal of one order, as far as news go: takes them in as the ledger does. */
class Book {
  now: IntentRow;
  readonly fills = new Map<string, FillRow>();

  constructor(status: OrderStatus, more: Partial<IntentRow> = {}) {
    this.now = intent(status, more);
  }

  tell(news: Partial<OrderNews>): ReturnType<typeof weighNews> {
    const verdict = weighNews(
      { intent: this.now, fills: [...this.fills.values()], fill: (id) => this.fills.get(id) ?? null },
      { status: "open", reason: null, fills: [], whole: false, ...news },
    );
    for (const each of verdict.fresh)
      this.fills.set(each.fillId, fillRow(each, this.now, 0, { exchangeMs: null, wallMs: 0 }));
    this.now = { ...this.now, status: verdict.status };
    return verdict;
  }

  get filled(): string {
    return [...this.fills.values()].reduce((sum, { quantity }) => sum.plus(quantity), decimal("0")).toFixed();
  }
}

describe("What news make of an order", () => {
  const rows: readonly (readonly [OrderStatus, string, Partial<OrderNews>, OrderStatus, boolean])[] = [
    ["unknown", "open", { status: "open" }, "open", false],
    ["pending", "open", { status: "open" }, "open", false],
    ["unknown", "all of it filled", { status: "filled", fills: [fill("a", "2")] }, "filled", false],
    ["unknown", "all of it filled, called open", { status: "open", fills: [fill("a", "2")] }, "filled", false],
    ["unknown", "half of it filled", { status: "open", fills: [fill("a", "1")] }, "open", false],
    ["open", "filled, half of it told", { status: "filled", fills: [fill("a", "1")] }, "open", false],
    [
      "open",
      "filled by its last word, half of it told",
      { status: "filled", fills: [fill("a", "1")], whole: true },
      "filled",
      false,
    ],
    ["unknown", "refused, all told", { status: "rejected", whole: true }, "rejected", false],
    ["unknown", "ended with nothing filled", { status: "rejected", filled: "0.00" }, "rejected", false],
    ["unknown", "ended, not said after how much", { status: "rejected" }, "open", false],
    ["unknown", "ended after half, which was not told", { status: "rejected", filled: "1" }, "open", false],
    [
      "open",
      "ended after half, which it tells",
      { status: "rejected", fills: [fill("a", "1")], filled: "1.0" },
      "rejected",
      false,
    ],
    ["open", "ended after half, and a half is not all", { status: "rejected", fills: [fill("a", "1")] }, "open", false],
    ["rejected", "an older open", { status: "open" }, "rejected", false],
    ["rejected", "a late half", { status: "open", fills: [fill("a", "1")] }, "rejected", true],
    ["rejected", "all of it filled after all", { status: "filled", fills: [fill("a", "2")] }, "filled", true],
    ["filled", "an older open", { status: "open" }, "filled", false],
    ["lost", "open after all", { status: "open" }, "open", true],
    ["lost", "filled after all", { status: "filled", fills: [fill("a", "2")] }, "filled", true],
    ["lost", "rejected after all", { status: "rejected", filled: "0" }, "rejected", false],
    ["expired", "open, though it was called busy", { status: "open" }, "open", true],
  ];
  for (const [status, what, news, expected, late] of rows) {
    test(`${status}, told ${what}, becomes ${expected}${late ? ", late" : ""}`, () => {
      const verdict = new Book(status).tell(news);
      expect([verdict.status, verdict.late]).toEqual([expected, late]);
    });
  }

  test("is the same whatever the order, however often the venue repeats itself, and each fill counts once", () => {
    const reports: readonly Partial<OrderNews>[] = [
      { status: "open" },
      { status: "open", fills: [fill("a", "0.5")] },
      { status: "open", fills: [fill("b", "0.7")] },
      { status: "filled", fills: [fill("c", "0.8")] },
      { status: "filled", fills: [fill("a", "0.50"), fill("b", "0.7"), fill("c", "0.8")], whole: true },
    ];
    const shuffled = fc.shuffledSubarray([...reports, ...reports, ...reports], { minLength: 15 });
    fc.assert(
      fc.property(shuffled, fc.constantFrom<OrderStatus>("pending", "unknown", "open", "lost"), (order, status) => {
        const book = new Book(status);
        for (const news of order) book.tell(news);
        expect([book.now.status, book.filled, book.fills.size]).toEqual(["filled", "2", 3]);
      }),
    );
  });

  test("of a partly filled order that ends is the same in every order: rejected, with what was filled", () => {
    const reports: readonly Partial<OrderNews>[] = [
      { status: "open", fills: [fill("a", "0.5")] },
      { status: "open", fills: [fill("b", "0.7")] },
      { status: "rejected", reason: "EXPIRED", filled: "1.2" },
    ];
    const whole = reports.flatMap(({ fills }) => fills ?? []);
    fc.assert(
      fc.property(fc.shuffledSubarray([...reports, ...reports], { minLength: 6 }), (order) => {
        const book = new Book("unknown");
        for (const news of order) book.tell(news);
        expect(["open", "rejected"]).toContain(book.now.status);
        // The look-up that an order which is not final gets.
        book.tell({ status: "rejected", reason: "EXPIRED", fills: whole, whole: true });
        expect([book.now.status, book.filled]).toEqual(["rejected", "1.2"]);
      }),
    );
  });
});

describe("News that cannot be halt all trading", () => {
  const contradictions: readonly (readonly [string, Book, Partial<OrderNews>, RegExp])[] = [
    ["a fill larger than the order", new Book("open"), { fills: [fill("a", "2.1")] }, /2\.1 in all, more than the 2/],
    ["fills that add up to more", new Book("open"), { fills: [fill("a", "1.5"), fill("b", "1")] }, /2\.5 in all/],
    ["a fill of another order", new Book("open"), { fills: [fill("a", "1", { clientOrderId: "f2" })] }, /of order f2/],
    ["a fill of nothing", new Book("open"), { fills: [fill("a", "0")] }, /fill a of "0"/],
    ["a fill of a negative quantity", new Book("open"), { fills: [fill("a", "-1")] }, /fill a of "-1"/],
    ["a fill at no price", new Book("open"), { fills: [fill("a", "1", { price: "" })] }, /at ""/],
    ["a fee that is no number", new Book("open"), { fills: [fill("a", "1", { fee: "NaN" })] }, /fee "NaN"/],
    [
      "a fill of an order refused here",
      new Book("rejected", { refusal: "position" }),
      { fills: [fill("a", "1")] },
      /refused here/,
    ],
    [
      "word that an order refused here is open",
      new Book("rejected", { refusal: "rate" }),
      { status: "open" },
      /refused here/,
    ],
  ];
  for (const [what, book, news, message] of contradictions) {
    test(`${what}, and nothing is taken in`, () => {
      const before = book.filled;
      expect(() => book.tell(news)).toThrow(TradingHalt);
      expect(() => book.tell(news)).toThrow(message);
      expect(book.filled).toBe(before);
    });
  }

  test("a fill told again with other figures", () => {
    const book = new Book("open");
    book.tell({ fills: [fill("a", "1")] });
    expect(() => book.tell({ fills: [fill("a", "0.9")] })).toThrow(/journaled before as 1 at 100/);
    expect(() => book.tell({ fills: [fill("a", "1", { price: "101" })] })).toThrow(TradingHalt);
    expect(book.tell({ fills: [fill("a", "1.0", { price: "100.00" })] }).repeated).toBe(1);
  });
});
