import { SMA } from "trading-signals";
import { defineRule } from "./contract.ts";

const MINUTES = 20;
const SPIKE = 3;

/** Symbols whose last minute traded at least 3 times the average volume of the 20 minutes before it, by that multiple. */
export const volumeSpike = defineRule({
  name: "volume-spike",
  init: () => new SMA(MINUTES),
  onCandle(average, candle) {
    const usual = average.getResult();
    average.add(candle.volume);
    if (usual === null || usual <= 0) return null;
    const score = candle.volume / usual;
    return score < SPIKE ? null : { score, note: `${score.toFixed(1)} times the volume of ${MINUTES} minutes` };
  },
});
