import { expect, test } from "bun:test";
import { PaperBroker } from "../../src/execution/paper-broker.ts";
import { brokerConformance } from "./broker-conformance.ts";
import { closeVenueBenches, openVenueBench } from "./support/binance-bench.ts";
import { candle } from "./support/market.ts";
import { Venue } from "./support/venue.ts";

brokerConformance("paper", () => ({
  broker: new PaperBroker(),
  symbol: "BTCUSDT",
  quantity: "0.5",
  close: () => Promise.resolve(),
}));

for (const pushing of ["none", "first", "twice"] as const) {
  brokerConformance(`the venue of these tests, pushing ${pushing}`, () => {
    const venue = new Venue();
    venue.accountSays = "known";
    venue.pushing = pushing;
    return {
      broker: venue,
      symbol: "BTCUSDT",
      quantity: "0.5",
      loseNextAnswer: () => void venue.mishaps.push("ack-lost"),
      close: () => venue.close(),
    };
  });
}

brokerConformance("Binance's protocol, at the simulated exchange", () => {
  const { broker } = openVenueBench({ follow: false });
  return { broker, symbol: "BTCUSDT", quantity: "0.01", close: closeVenueBenches };
});

test("The paper broker's fills have ids of their own, the same whenever they are made", () => {
  const order = { clientOrderId: "f1", symbol: "BTCUSDT", side: "buy", quantity: "0.5" } as const;
  const once = new PaperBroker().fillsAt(candle("BTCUSDT", 1), [order, { ...order, clientOrderId: "f2" }]);
  expect(once.map(({ fillId }) => fillId)).toEqual(["f1-1", "f2-1"]);
  expect(new PaperBroker().fillsAt(candle("BTCUSDT", 1), [order])).toEqual(once.slice(0, 1));
});
