import type { ExecutionHandler } from "./execution-handler.ts";
import type { Refusal } from "./journal-rows.ts";

/** Telemetry's names of what kept a decision from the broker; one too old is among `orders.expired.total`. */
const REFUSALS: Readonly<Record<Exclude<Refusal, "age">, string>> = {
  halted: "halted",
  "in-flight": "in.flight",
  queue: "queue",
  collar: "collar",
  notional: "notional",
  position: "position",
  rate: "rate",
  "daily-loss": "daily.loss",
};

/** Totals of execution since start by dotted name. */
export function countersOf(handler: ExecutionHandler): Readonly<Record<string, number>> {
  const { counts } = handler.desk;
  const refusals = Object.entries(REFUSALS).map(([refusal, name]): readonly [string, number] => [
    `orders.refused.${name}.total`,
    handler.refused(refusal as Refusal) + (refusal === "halted" ? counts.halted : 0),
  ]);
  return {
    "orders.sent.total": counts.sent,
    "orders.rejected.total": counts.rejected,
    "orders.refused.total": refusals.reduce((sum, [, count]) => sum + count, 0),
    ...Object.fromEntries(refusals),
    "orders.expired.total": counts.expired + handler.refused("age"),
    "orders.unknown.total": counts.unknown,
    "orders.lost.total": counts.lost,
    "orders.missing": handler.desk.missing().length,
    "orders.busy.total": counts.busy,
    "orders.late.total": counts.late,
    "orders.unsent": handler.ledger.pending,
    "fills.repeated.total": counts.fillsRepeated,
    "reports.total": counts.reports,
    "reports.unknown.total": counts.reportsUnknown,
  };
}
