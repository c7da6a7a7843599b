import type { Timer } from "../core/env.ts";
import type { BrokerReport } from "./broker.ts";
import { lookUpOrder, submitOrder } from "./broker-calls.ts";
import { DeskCounts } from "./desk-counts.ts";
import type { DeskDeps } from "./desk-deps.ts";
import type { IntentRow } from "./journal-rows.ts";
import type { OrderPatch } from "./ledger.ts";
import { LookupBackoff } from "./lookup-backoff.ts";
import { MissingOrders } from "./missing-orders.ts";
import { NewsTaker } from "./news-taker.ts";
import { isFinal, type OrderNews } from "./order-news.ts";
import { type DecisionAge, recoveryStep } from "./order-recovery.ts";

/** Orders that wait for a busy venue, or for its clock, are looked at this often: one that has become too old expires. */
const WAITING_LOOK_MS = 1000;
const CLOCK_LOOK_MS = 100;

/** One symbol's way to the broker. */
interface Lane {
  readonly symbol: string;
  working: Promise<void> | null;
  /** Ids to be looked up before anything else. */
  readonly due: Set<string>;
  timer: Timer | null;
  readonly lookups: LookupBackoff;
}

/**
 * The only way to the broker. Each symbol's orders go out one after the other in the order they were decided; symbols do not
 * wait for one another. An order is journaled as `unknown` before the broker sees it, so that a crash at any point leaves it
 * either certainly unsent (`pending`) or to be looked up, never sent twice. What waits here is bounded by the handler's limits.
 */
export class OrderDesk {
  readonly #deps: DeskDeps;
  readonly #maxDecisionAgeMs: number;
  readonly #news: NewsTaker;
  readonly #lanes = new Map<string, Lane>();
  readonly counts = new DeskCounts();
  /** Orders of before this life, until they were looked up. */
  readonly #unseen = new Set<string>();
  readonly #missing: MissingOrders;
  #released = false;
  #pausedUntilMs = 0;
  #closed = false;
  #fault: unknown = null;

  constructor(deps: DeskDeps, maxDecisionAgeMs: number) {
    this.#deps = deps;
    this.#maxDecisionAgeMs = maxDecisionAgeMs;
    this.#news = new NewsTaker(deps, this.counts);
    this.#missing = new MissingOrders(deps.log);
    deps.broker.follow((report) => this.#onReport(report));
  }

  /** What stopped the desk (a halted journal, a contradiction, or a bug); null while it works. Nothing is sent after it. */
  get fault(): unknown {
    return this.#fault;
  }

  /** A decision's age. A simulation's is always young: it catches up. */
  age(decidedAtMs: number): DecisionAge {
    if (this.#deps.broker.catchesUp) return "young";
    const now = this.#deps.exchangeNowMs();
    return now === null ? "untold" : now - decidedAtMs > this.#maxDecisionAgeMs ? "old" : "young";
  }

  /** Takes the symbol's journaled `pending` orders to the broker in the background. Never throws. */
  place(symbol: string): void {
    this.#work(symbol);
  }

  /** Asks the broker, in the background, for the symbol's orders whose outcome is open; at most once a second. */
  reconcile(symbol: string): void {
    const lane = this.#lanes.get(symbol);
    if (!lane || lane.working !== null) return;
    if (lane.lookups.mayAsk(this.#deps.clock.monotonicMs())) this.#lookUpAll(lane);
  }

  /**
   * At start: every order that is not final is looked up by its id. Nothing goes out before `release`. Throws what stopped it.
   */
  async recover(): Promise<void> {
    for (const symbol of this.#deps.ledger.activeSymbols()) {
      for (const { clientOrderId, status } of this.#deps.ledger.active(symbol)) {
        // A simulation's open orders live in the journal alone: there is nobody to ask.
        if (this.#deps.broker.catchesUp && status === "open") continue;
        this.#laneOf(symbol).due.add(clientOrderId);
        this.#unseen.add(clientOrderId);
      }
      this.#work(symbol);
    }
    await this.idle();
  }

  /** Looks up every open order, at start. Throws what stopped it. */
  async lookUpOpen(): Promise<void> {
    if (this.#deps.broker.catchesUp) return;
    for (const symbol of this.#deps.ledger.activeSymbols()) {
      for (const { clientOrderId, status } of this.#deps.ledger.active(symbol))
        if (status === "open") this.#laneOf(symbol).due.add(clientOrderId);
      this.#work(symbol);
    }
    await this.idle();
  }

  /** Open orders that the venue did not know when they were last looked up, later than they could still come to life. */
  missing(): readonly IntentRow[] {
    return this.#missing.of(this.#deps.ledger);
  }

  /** Gives an order up. Throws JournalHalted. */
  lose(intent: IntentRow, reason: string): void {
    this.counts.lost++;
    this.#change(intent, { status: "lost", reason });
    this.#deps.log.warn(`Order ${intent.clientOrderId} is lost: ${reason}`);
  }

  /** From now on orders go out. */
  release(): void {
    this.#released = true;
    for (const symbol of this.#deps.ledger.activeSymbols()) this.#work(symbol);
  }

  /** Takes what the broker says of an order; false where the journal does not know it. Throws JournalHalted, TradingHalt. */
  learn(clientOrderId: string, news: OrderNews): boolean {
    const taken = this.#news.take(clientOrderId, news);
    const tells = taken === "changed" || (taken === "nothing-new" && news.status !== "open");
    const intent = tells ? this.#deps.ledger.find(clientOrderId) : null;
    if (intent && !isFinal(intent.status)) {
      // What is open, open again, or not told in full, is to be asked for.
      this.#askSoon(intent.symbol);
      this.#work(intent.symbol);
    }
    return taken !== "unknown";
  }

  /** Resolves once everything placed so far is done or waits for a timer. Throws what stopped the desk. */
  async idle(): Promise<void> {
    for (;;) {
      const working = [...this.#lanes.values()].flatMap(({ working }) => (working === null ? [] : [working]));
      if (working.length === 0) break;
      await Promise.all(working);
    }
    if (this.#fault !== null) throw this.#fault;
  }

  /** Nothing is asked, sent or taken in any more. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes.values()) lane.timer?.cancel();
  }

  #laneOf(symbol: string): Lane {
    const lane = this.#lanes.get(symbol) ?? {
      symbol,
      working: null,
      due: new Set<string>(),
      timer: null,
      lookups: new LookupBackoff(this.#deps.clock.monotonicMs()),
    };
    this.#lanes.set(symbol, lane);
    return lane;
  }

  #askSoon(symbol: string): void {
    this.#laneOf(symbol).lookups.reset(this.#deps.clock.monotonicMs());
  }

  /** Starts the symbol's lane where it rests. */
  #work(symbol: string): void {
    const lane = this.#laneOf(symbol);
    if (lane.working !== null || this.#closed) return;
    lane.timer?.cancel();
    lane.timer = null;
    lane.working = this.#clear(lane)
      .catch((error: unknown) => this.#stop(error))
      .then(() => {
        lane.working = null;
        this.#rest(lane);
      });
  }

  async #clear(lane: Lane): Promise<void> {
    while (this.#fault === null && !this.#closed) {
      const [id] = lane.due;
      if (id !== undefined) {
        lane.due.delete(id);
        await this.#resolve(id);
        continue;
      }
      const next = this.#released ? this.#nextPending(lane.symbol) : null;
      if (next === null || !(await this.#dispatch(next))) return;
    }
  }

  /** The oldest order that waits for the broker; nothing where one of before this life was not looked up yet. */
  #nextPending(symbol: string): IntentRow | null {
    const next = this.#deps.ledger.active(symbol).find(({ status }) => status === "pending");
    return next && !this.#unseen.has(next.clientOrderId) ? next : null;
  }

  /** Sends or ends one pending order; false where it has to wait. */
  async #dispatch(intent: IntentRow): Promise<boolean> {
    const halted = this.#deps.halted();
    if (halted !== null) {
      this.counts.halted++;
      this.#change(intent, { status: "rejected", reason: halted });
      return true;
    }
    const age = this.age(intent.decidedAt);
    if (age === "old") {
      this.counts.expired++;
      this.#change(intent, { status: "expired", reason: "its candle closed too long ago to be sent" });
      return true;
    }
    if (age === "untold" || this.#deps.clock.monotonicMs() < this.#pausedUntilMs) return false;
    const refusal = this.#deps.refusal(intent);
    if (refusal !== null) this.#change(intent, { status: "rejected", reason: refusal });
    else await this.#send(intent);
    return true;
  }

  async #send(intent: IntentRow): Promise<void> {
    const { exchangeMs, wallMs } = this.#news.now();
    this.#change(intent, { status: "unknown", sentAt: exchangeMs ?? intent.decidedAt, sentWallAt: wallMs });
    this.counts.sent++;
    const outcome = await submitOrder(this.#deps.broker, intent, this.#deps.halted);
    if (this.#closed) return;
    if (outcome.type === "accepted") {
      this.learn(intent.clientOrderId, { status: "open", reason: null, fills: outcome.fills, whole: false });
    } else if (outcome.type === "rejected") this.#refused(intent, outcome.reason);
    else if (outcome.type === "busy") this.#takeBack(intent, outcome.reason, outcome.retryAfterMs);
    else {
      this.counts.unknown++;
      this.#deps.log.warn(`Order ${intent.clientOrderId} has an unknown outcome: ${outcome.reason}`);
    }
    this.#askSoon(intent.symbol);
  }

  /** The venue refused it, unless a push has told otherwise meanwhile: then the look-up decides. */
  #refused(intent: IntentRow, reason: string): void {
    const now = this.#deps.ledger.find(intent.clientOrderId)?.status;
    if (now === "unknown") this.learn(intent.clientOrderId, { status: "rejected", reason, fills: [], whole: true });
    else
      this.#deps.log.warn(`The venue refused order ${intent.clientOrderId}, which it had told to be ${now}: ${reason}`);
  }

  /** The venue certainly did not take it: it waits again, unless a push has told otherwise meanwhile. */
  #takeBack(intent: IntentRow, reason: string, retryAfterMs: number): void {
    this.counts.busy++;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#deps.clock.monotonicMs() + Math.max(0, retryAfterMs));
    const now = this.#deps.ledger.find(intent.clientOrderId);
    if (now?.status !== "unknown") return;
    this.#deps.log.warn(`Order ${intent.clientOrderId} was not taken (${reason}): it waits ${retryAfterMs} ms`);
    this.#change(now, { status: "pending", sentAt: null, sentWallAt: null });
  }

  async #resolve(clientOrderId: string): Promise<void> {
    const { broker } = this.#deps;
    const before = this.#deps.ledger.find(clientOrderId);
    if (!before || isFinal(before.status)) return;
    // It may come to life while the answer is on its way: what counts is when it was asked for.
    const askedMs = this.#deps.exchangeNowMs();
    const found = await lookUpOrder(broker, before);
    if (this.#closed) return;
    this.#unseen.delete(clientOrderId);
    // A push may have come while the answer was on its way.
    const intent = this.#deps.ledger.find(clientOrderId);
    if (intent?.status !== "pending" && intent?.status !== "unknown" && intent?.status !== "open") return;
    const windowPassed = askedMs !== null && askedMs - (intent.sentAt ?? askedMs) > broker.validityWindowMs;
    this.#missing.note(intent, found.type, windowPassed);
    const step = recoveryStep({
      status: intent.status,
      lookup: found.type,
      simulated: broker.catchesUp,
      age: this.age(intent.decidedAt),
      windowPassed,
    });
    if (step === "adopt" && found.type === "found") this.learn(clientOrderId, { ...found, whole: true });
    else if (step === "send" && intent.status === "unknown")
      this.#change(intent, { status: "pending", sentAt: null, sentWallAt: null });
    else if (step === "doubt") {
      this.counts.unknown++;
      const { exchangeMs, wallMs } = this.#news.now();
      this.#change(intent, { status: "unknown", sentAt: exchangeMs, sentWallAt: wallMs });
    } else if (step === "wait" && intent.status === "unknown" && intent.sentAt === null) {
      // Its window counts from when the clock became known.
      const { exchangeMs } = this.#news.now();
      if (exchangeMs !== null) this.#change(intent, { status: "unknown", sentAt: exchangeMs });
    } else if (step === "lose") {
      this.lose(intent, "the venue does not know it, and its validity window has passed");
    }
  }

  /** Arms the lane's timer for what is left, or forgets the lane. */
  #rest(lane: Lane): void {
    if (this.#closed || this.#fault !== null) return;
    const left = this.#deps.ledger.active(lane.symbol);
    if (lane.due.size > 0) this.#work(lane.symbol);
    else if (left.length === 0) this.#lanes.delete(lane.symbol);
    else if (!this.#deps.broker.catchesUp) this.#arm(lane, left);
  }

  #arm(lane: Lane, left: readonly IntentRow[]): void {
    const nowMs = this.#deps.clock.monotonicMs();
    let delayMs = Number.POSITIVE_INFINITY;
    if (this.#released && left.some(({ status }) => status === "pending")) {
      const pausedMs = this.#pausedUntilMs - nowMs;
      delayMs = pausedMs > 0 ? Math.min(pausedMs, WAITING_LOOK_MS) : CLOCK_LOOK_MS;
    }
    if (left.some(({ status }) => status !== "pending")) delayMs = Math.min(delayMs, lane.lookups.untilDueMs(nowMs));
    if (delayMs === Number.POSITIVE_INFINITY) return;
    lane.timer = this.#deps.timers.after(delayMs, () => this.#onTimer(lane));
  }

  #onTimer(lane: Lane): void {
    lane.timer = null;
    if (lane.lookups.untilDueMs(this.#deps.clock.monotonicMs()) > 0) this.#work(lane.symbol);
    else this.#lookUpAll(lane);
  }

  #lookUpAll(lane: Lane): void {
    lane.lookups.asked(this.#deps.clock.monotonicMs());
    for (const { clientOrderId, status } of this.#deps.ledger.active(lane.symbol))
      if (status !== "pending") lane.due.add(clientOrderId);
    this.#work(lane.symbol);
  }

  #onReport(report: BrokerReport): void {
    if (this.#closed || this.#fault !== null) return;
    this.counts.reports++;
    try {
      if (this.learn(report.clientOrderId, { ...report, whole: false })) return;
      this.#news.tellStranger(report.clientOrderId);
    } catch (error) {
      this.#stop(error);
    }
  }

  #stop(error: unknown): void {
    if (this.#fault !== null || this.#closed) return;
    this.#fault = error;
    this.#deps.onFault(error);
  }

  #change(intent: IntentRow, patch: OrderPatch): void {
    this.#deps.ledger.changeOrder(intent, patch, [], this.#news.now());
  }
}
