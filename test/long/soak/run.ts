import { writeFileSync } from "node:fs";
import { grown, soak, soakCsv, soakTable } from "./soak.ts";

// The soak at any length: `bun test/long/soak/run.ts [--seconds 600] [--warm 60] [--rate 18000] [--telemetry 2000] [--symbols 1000]
// [--checked 1000] [--csv FILE]`. Exits 1 where something was lost or grew by more than 5 % after the warm-up.

const flag = (name: string, fallback: number) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const MOST_GROWTH_PERCENT = 5;
const result = await soak(
  {
    seconds: flag("seconds", 600),
    warmSeconds: flag("warm", 60),
    candlesPerSecond: flag("rate", 18_000),
    telemetryPerSecond: flag("telemetry", 2000),
    symbols: flag("symbols", 1000),
    checkedSymbols: flag("checked", 1000),
  },
  (line) => console.error(line),
);
console.log(soakTable(result));
const csv = process.argv.indexOf("--csv");
if (csv >= 0) writeFileSync(process.argv[csv + 1] ?? "soak.csv", soakCsv(result));
const growing = grown(result, MOST_GROWTH_PERCENT);
if (growing.length > 0) console.log(`FAILED: grew by more than ${MOST_GROWTH_PERCENT} %: ${growing.join(", ")}`);
process.exit(growing.length + result.faults.length === 0 ? 0 : 1);
