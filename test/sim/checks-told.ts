import type { OrderRow, PositionRow } from "../../src/core/wire.ts";
import { type JournalView, journalOf } from "./journal-view.ts";
import type { Machine } from "./machine.ts";
import { scaled } from "./model/paper.ts";
import { ModelPosition } from "./model/position.ts";
import type { RunnerFacts } from "./runner-node.ts";
import type { RunnerSpec } from "./scenario.ts";

/** Most that rounding may make of a figure told, in trillionths. */
const ROUNDING = 1000n;
/** A runner tells its positions every second, wall ms; this late, it tells them no more. */
const LATE_MS = 2500;
const MOST_ORDERS = 50;

/** Positions and orders as a runner tells them, against its journal's fills added up by the model. */
export class ToldWatch {
  readonly #machine: Machine;
  readonly #toldMs = new Map<string, number>();

  /** Every message on the wire is judged, while its runner counts as running. */
  constructor(machine: Machine, runners: readonly { readonly spec: RunnerSpec; readonly facts: RunnerFacts }[]) {
    this.#machine = machine;
    machine.wire.watches.push((life, topic, body) => {
      if (topic !== "telemetry.positions") return;
      const runner = runners.find(({ facts }) => facts.life === life);
      if (runner?.facts.runner?.status().state !== "running") return;
      const told = JSON.parse(body) as { readonly positions: PositionRow[]; readonly orders: OrderRow[] };
      this.#toldMs.set(runner.spec.name, machine.world.nowMs);
      this.#judge(runner.spec, told.positions, told.orders, "tells on the wire");
    });
  }

  /** At the end. */
  judge(spec: RunnerSpec, { runner }: RunnerFacts): void {
    const { world } = this.#machine;
    if (runner) this.#judge(spec, runner.positions(), runner.orders(), "tells at the end");
    if (!world.scenario.hasTelemetry) return;
    const toldMs = this.#toldMs.get(spec.name) ?? 0;
    world.check(7, world.nowMs - toldMs < LATE_MS, () => `${spec.name} has told no positions since ${toldMs}`);
  }

  #judge(spec: RunnerSpec, positions: readonly PositionRow[], orders: readonly OrderRow[], how: string): void {
    const journal = journalOf(this.#machine, spec.name);
    if (!journal || this.#machine.world.violations.length > 0) return;
    const traded = journal.symbolsWithFills();
    const named = positions.map(({ symbol }) => symbol).sort();
    this.#check(
      named.join() === traded.join(),
      () => `${spec.name} ${how} positions in ${named}, the journal has fills of ${traded}`,
    );
    for (const row of positions) {
      const due = this.#dueOf(journal, row.symbol);
      const same = Object.entries(due).every(([name, value]) => isNear(row[name as keyof typeof due], value));
      this.#check(same, () => `${spec.name} ${how} ${JSON.stringify(row)}, due was ${texts(due)}`);
    }
    const due = journal.newestOrders(MOST_ORDERS);
    const same = orders.length === due.length && due.every((order, at) => order === orderText(orders[at]));
    this.#check(
      same,
      () => `${spec.name} ${how} the orders ${orders.map(orderText).join("; ")}, due was ${due.join("; ")}`,
    );
  }

  #dueOf(journal: JournalView, symbol: string) {
    const position = new ModelPosition();
    for (const fill of journal.fills(symbol)) position.take(fill);
    const cursor = journal.cursor(symbol);
    const close = this.#machine.truth.rows[(cursor?.commitSeq ?? 0) - 1]?.close ?? 0;
    const { quantity, averagePrice, realisedPnl } = position;
    return { quantity, averagePrice, realisedPnl, unrealisedPnl: position.unrealisedPnl(close) };
  }

  #check(holds: boolean, what: () => string): void {
    this.#machine.world.check(5, holds, what);
  }
}

function isNear(told: string, due: bigint): boolean {
  const off = scaled(told) - due;
  return off <= ROUNDING && off >= -ROUNDING;
}

function texts(due: Readonly<Record<string, bigint>>): string {
  return Object.entries(due)
    .map(([name, value]) => `${name} ${Number(value) / 1e12}`)
    .join(", ");
}

function orderText(order: OrderRow | undefined): string {
  return order ? `${order.clientOrderId} ${order.symbol} ${order.side} ${order.quantity} ${order.status}` : "none";
}
