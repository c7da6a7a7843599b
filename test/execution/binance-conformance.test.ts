import { platform } from "#platform";
import type { HttpSend } from "../../src/core/env.ts";
import { brokerConformance } from "./broker-conformance.ts";
import { closeVenueBenches, isPost, openVenueBench } from "./support/binance-bench.ts";

/** What the contract must bear at a venue that speaks Binance's protocol, mood by mood; orders are taken in all of them. */
const MOODS: readonly (readonly [string, string])[] = [
  ["on a good day", ""],
  ["whose reports overtake answers and come twice", "report-before-ack=1,duplicate-report=1"],
  ["that cuts its stream half of the time", "stream-cut=0.5"],
  ["that fills bit by bit", "partial=1"],
  ["that is slow", "slow=0.5"],
  ["whose servers' clocks differ", "skew-ms=60000"],
];

for (const [mood, faults] of MOODS) {
  brokerConformance(`a venue in Binance's protocol ${mood}`, () => {
    let loseNext = false;
    const httpSend: HttpSend = async (request, timeoutMs) => {
      const reply = await platform.httpSend(request, timeoutMs);
      if (!loseNext || !isPost(request)) return reply;
      loseNext = false;
      throw new Error("the connection broke before the answer");
    };
    const speed = faults.startsWith("partial") ? 600 : 1;
    const bench = openVenueBench({
      ...(faults === "" ? {} : { faults }),
      exchange: { speed },
      httpSend,
      follow: false,
    });
    return {
      broker: bench.broker,
      symbol: "BTCUSDT",
      quantity: "0.01",
      loseNextAnswer: () => {
        loseNext = true;
      },
      close: closeVenueBenches,
    };
  });
}
