import type { StoreWatch } from "./checks-store.ts";
import type { Machine } from "./machine.ts";
import { deliveryOf } from "./model/row.ts";
import type { ScannerMemory } from "./scanner-node.ts";
import type { ScannerSpec } from "./scenario.ts";

/** Invariant 4, seen by a bare consumer: what it kept is the delivery, once and in order, and at the end all of it. */
export function judgeScanner(
  machine: Machine,
  spec: ScannerSpec,
  memory: ScannerMemory,
  watch: StoreWatch,
  dueSeq: number,
): void {
  const { world, truth } = machine;
  const startSeq = memory.startSeq;
  if (startSeq === null) {
    world.check(10, dueSeq === 0, () => "the scanner never found the store's beginning");
    return;
  }
  world.check(4, watch.beginnings.has(startSeq), () => `the scanner began at row ${startSeq}, the end of no manifest`);
  for (const symbol of world.scenario.symbols) {
    const kept = memory.events.filter(
      (event) => (event.type === "gap" ? event.symbol : event.candle.symbol) === symbol,
    );
    const wanted = spec.symbols === "all" || spec.symbols.includes(symbol);
    const expected = wanted ? deliveryOf(truth.rows, symbol, startSeq, spec.includePartial) : [];
    kept.forEach((event, at) => {
      const due = expected[at];
      const same =
        event.type === "candle"
          ? due?.kind === "candle" && due.row.commitSeq === event.candle.commitSeq && sameRow(due.row, event.candle)
          : due?.kind === "gap" && due.from === event.fromOpenTime && due.to === event.toOpenTime;
      world.check(
        4,
        same,
        () => `the scanner's event ${at} of ${symbol} is ${JSON.stringify(event)}, due was ${JSON.stringify(due)}`,
      );
    });
    const due = expected.filter((event) => event.kind === "candle" && event.row.commitSeq <= dueSeq).length;
    const got = kept.filter((event) => event.type === "candle").length;
    world.check(10, got >= due, () => `the scanner has ${got} candles of ${symbol}, ${due} were due (row ${dueSeq})`);
  }
}

function sameRow(due: object, row: object): boolean {
  return JSON.stringify(sorted(due)) === JSON.stringify(sorted(row));
}

function sorted(row: object): unknown {
  return Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));
}
