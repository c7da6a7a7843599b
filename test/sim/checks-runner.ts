import { isRefusal } from "./checks-account.ts";
import type { StoreWatch } from "./checks-store.ts";
import type { FillView, IntentView, JournalView } from "./journal-view.ts";
import type { Machine } from "./machine.ts";
import { type ModelDecision, ModelFold } from "./model/fold.ts";
import { digestAfter, NO_DIGEST, orderIdOf } from "./model/hashes.ts";
import { paperFill, scaled } from "./model/paper.ts";
import { deliveryOf, type ModelRow } from "./model/row.ts";
import type { RunnerSpec } from "./scenario.ts";
import { SIM_STRATEGIES, type SimStrategy } from "./strategies.ts";

/** A runner's journal and account against a perfect run over the same store. */
export class RunnerJudge {
  readonly #machine: Machine;
  readonly #spec: RunnerSpec;
  readonly #journal: JournalView;
  readonly #traits: SimStrategy;
  readonly #startSeq: number;

  constructor(machine: Machine, spec: RunnerSpec, journal: JournalView) {
    this.#machine = machine;
    this.#spec = spec;
    this.#journal = journal;
    this.#traits = SIM_STRATEGIES[spec.strategy] as SimStrategy;
    this.#startSeq = Number(journal.meta("startSeq"));
  }

  judge(dueSeq: number): void {
    for (const symbol of this.#machine.world.scenario.symbols) {
      const wanted = this.#spec.symbols === "all" || this.#spec.symbols.includes(symbol);
      if (wanted) this.#judgeSymbol(symbol, dueSeq);
      else
        this.#machine.world.check(
          4,
          this.#journal.cursor(symbol) === null,
          () => `${this.#spec.name} decided on ${symbol}`,
        );
    }
  }

  #judgeSymbol(symbol: string, dueSeq: number): void {
    const { world, truth } = this.#machine;
    const { name } = this.#spec;
    const rows = deliveryOf(truth.rows, symbol, this.#startSeq, this.#traits.includePartial).flatMap((event) =>
      event.kind === "candle" ? [event.row] : [],
    );
    const cursor = this.#journal.cursor(symbol);
    const delivered = cursor?.delivered ?? 0;
    const due = rows.filter((row) => row.commitSeq <= dueSeq).length;
    world.check(
      10,
      delivered >= due,
      () => `${name} decided ${delivered} candles of ${symbol}, ${due} were due (row ${dueSeq})`,
    );
    if (!world.violations.length && cursor) {
      const seen = rows.slice(0, delivered);
      const digest = seen.reduce(digestAfter, NO_DIGEST);
      world.check(
        4,
        digest === cursor.digest && seen.length === delivered,
        () =>
          `${name}: ${symbol} has digest ${cursor.digest} over ${delivered}, the delivery ${digest} over ${seen.length}`,
      );
      world.check(
        4,
        seen.at(-1)?.commitSeq === cursor.commitSeq,
        () => `${name}: the cursor of ${symbol} is row ${cursor.commitSeq}`,
      );
      if (!world.violations.length) this.#judgeDecisions(symbol, seen);
    }
  }

  #judgeDecisions(symbol: string, seen: readonly ModelRow[]): void {
    const { world, truth } = this.#machine;
    const { name } = this.#spec;
    const anchor = seen[0];
    if (!anchor) return;
    const fold = new ModelFold(this.#traits);
    const from = fold.warmFrom(anchor.openTime);
    const history = truth.rows.filter(
      (row) =>
        row.symbol === symbol &&
        row.commitSeq < anchor.commitSeq &&
        row.openTime >= from &&
        row.openTime < anchor.openTime,
    );
    fold.warm(history.sort((a, b) => a.openTime - b.openTime));
    const intents = this.#journal.intents(symbol);
    const fills = this.#journal.fills(symbol);
    const account = this.#spec.broker === "paper" ? new PaperModel(this, symbol, fills) : new SeenFills(fills);
    let at = 0;
    for (const row of seen) {
      account.before(row);
      for (const decision of fold.see(row, account.held)) {
        const intent = intents[at++];
        if (!this.#isOf(intent, symbol, decision)) {
          world.violate(
            5,
            `${name}: decision ${at - 1} of ${symbol} is ${JSON.stringify(intent)}, a perfect run has ${JSON.stringify(decision)}`,
          );
          return;
        }
        account.after(intent);
      }
    }
    world.check(
      5,
      intents.length === at,
      () => `${name}: ${intents.length} decisions on ${symbol}, a perfect run has ${at}`,
    );
    account.end();
  }

  #isOf(intent: IntentView | undefined, symbol: string, decision: ModelDecision): intent is IntentView {
    const { storeId } = this.#machine.truth;
    const mode = this.#spec.broker === "paper" ? "paper" : "live";
    const { barOpenTime, ordinal, side, quantity } = decision;
    const id = orderIdOf([storeId, mode, this.#spec.name, symbol, this.#traits.timeframe, barOpenTime, ordinal]);
    return intent?.id === id && intent.side === side && Number(intent.quantity) === Number(quantity);
  }

  get maxInFlight(): number {
    return this.#spec.maxInFlight;
  }

  get wasHalted(): boolean {
    return this.#machine.disk.halted.has(this.#spec.name);
  }

  fail(what: string): void {
    this.#machine.world.violate(5, `${this.#spec.name}: ${what}`);
  }
}

/** In hundred-millionths. */
function units(quantity: string): number {
  return Math.round(Number(quantity) * 100_000_000);
}

interface AccountModel {
  readonly held: string;
  before(row: ModelRow): void;
  after(intent: IntentView): void;
  end(): void;
}

/** Paper fills as a perfect run has them, held against the journal's one by one. */
class PaperModel implements AccountModel {
  readonly #judge: RunnerJudge;
  readonly #symbol: string;
  readonly #fills: readonly FillView[];
  #open: IntentView[] = [];
  /** When those were decided that a halt withdrew. */
  readonly #halted: number[] = [];
  #held = 0;
  #at = 0;

  constructor(judge: RunnerJudge, symbol: string, fills: readonly FillView[]) {
    this.#judge = judge;
    this.#symbol = symbol;
    this.#fills = fills;
  }

  get held(): string {
    return String(this.#held / 100_000_000);
  }

  before(row: ModelRow): void {
    if (row.trades === 0) return;
    for (const order of this.#open) {
      const fill = this.#fills[this.#at++];
      const due = paperFill(order.side, order.quantity, row.open);
      const same =
        fill?.orderId === order.id &&
        fill.candleOpenTime === row.openTime &&
        fill.symbol === this.#symbol &&
        fill.side === order.side &&
        scaled(fill.quantity) === scaled(order.quantity) &&
        scaled(fill.price) === due.price &&
        scaled(fill.fee) === due.fee;
      if (!same)
        this.#judge.fail(
          `fill ${this.#at - 1} of ${this.#symbol} is ${JSON.stringify(fill)}, due was ${order.id} at ${row.openTime} for ${due.price}`,
        );
      this.#held += (order.side === "buy" ? 1 : -1) * units(order.quantity);
    }
    this.#open = [];
  }

  after(intent: IntentView): void {
    const isFull = this.#open.length >= this.#judge.maxInFlight;
    if (intent.status === "rejected") {
      const isHalted = intent.reason?.startsWith("halted:") && this.#judge.wasHalted;
      // One that was on its way when the switch was thrown stood in the way of those decided with it.
      const stood = this.#halted.filter((decidedAt) => decidedAt === intent.decidedAt).length;
      const mayBeFull = this.#open.length + stood >= this.#judge.maxInFlight;
      if (isHalted) this.#halted.push(intent.decidedAt);
      else if (!(isRefusal(intent.reason) && mayBeFull)) this.#judge.fail(`${intent.id} is rejected: ${intent.reason}`);
    } else if (isFull) this.#judge.fail(`${intent.id} is ${intent.status} beside ${this.#open.length} open orders`);
    else if (intent.status === "expired" || intent.status === "lost")
      this.#judge.fail(`${intent.id} is ${intent.status} on paper`);
    else this.#open.push(intent);
  }

  end(): void {
    if (this.#fills.length !== this.#at)
      this.#judge.fail(`${this.#fills.length} fills of ${this.#symbol}, a perfect run has ${this.#at}`);
  }
}

/** A venue's fills come when they come: decisions saw them from the minute on that the journal names. */
class SeenFills implements AccountModel {
  readonly #fills: readonly FillView[];
  #held = 0;
  #at = 0;

  constructor(fills: readonly FillView[]) {
    this.#fills = fills;
  }

  get held(): string {
    return String(this.#held / 100_000_000);
  }

  before(row: ModelRow): void {
    for (let fill = this.#fills[this.#at]; fill && fill.candleOpenTime <= row.openTime; fill = this.#fills[++this.#at])
      this.#held += (fill.side === "buy" ? 1 : -1) * units(fill.quantity) - units(fill.baseFee);
  }

  after(): void {}

  end(): void {}
}

/** A new runner begins where a manifest ended that knew its first close. */
export function judgeBeginning(machine: Machine, spec: RunnerSpec, journal: JournalView, watch: StoreWatch): void {
  const startSeq = journal.meta("startSeq");
  if (startSeq === null) return;
  machine.world.check(
    4,
    watch.beginnings.has(Number(startSeq)),
    () => `${spec.name} began at row ${startSeq}, the end of no manifest`,
  );
}
