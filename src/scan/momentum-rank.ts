import { ROC } from "trading-signals";
import { defineRule } from "./contract.ts";

const MINUTES = 15;

/** Ranks by the change of the close over the last 15 minutes, the strongest rise first. The score is a fraction: 0.01 is 1 %. */
export const momentumRank = defineRule({
  name: "momentum-rank",
  init: () => new ROC(MINUTES),
  onCandle(change, candle) {
    const score = change.add(candle.close);
    return score === null ? null : { score, note: `${percent(score)} in ${MINUTES} minutes` };
  },
});

function percent(fraction: number): string {
  return `${fraction >= 0 ? "+" : ""}${(fraction * 100).toFixed(2)} %`;
}
