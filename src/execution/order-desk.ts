import type { Log } from "../core/env.ts";
import { messageOf } from "../core/errors.ts";
import type { Broker, BrokerFill, BrokerOrder, LookupOutcome, SubmitOutcome } from "./broker.ts";
import { decimal } from "./decimal.ts";
import type { IntentRow } from "./journal-rows.ts";
import type { Ledger } from "./ledger.ts";
import { recoveryStep } from "./order-recovery.ts";

export interface DeskDeps {
  readonly ledger: Ledger;
  readonly broker: Broker;
  /** The venue's clock now, epoch ms; null while it is not known. */
  readonly exchangeNowMs: () => number | null;
  readonly log: Log;
}

export interface DeskCounters {
  readonly sent: number;
  readonly rejected: number;
  readonly expired: number;
  readonly unknown: number;
  readonly lost: number;
}

/**
 * The only way to the broker. Each symbol's orders go out one after the other in the order they were decided; symbols do not
 * wait for one another. An order is journaled as `unknown` before the broker sees it, so that a crash at any point leaves it
 * either certainly unsent (`pending`) or to be looked up, never sent twice. What waits here is bounded by the handler's limits.
 */
export class OrderDesk {
  readonly #ledger: Ledger;
  readonly #broker: Broker;
  readonly #exchangeNowMs: () => number | null;
  readonly #log: Log;
  readonly #maxDecisionAgeMs: number;
  readonly #chains = new Map<string, Promise<void>>();
  readonly #counters = { sent: 0, rejected: 0, expired: 0, unknown: 0, lost: 0 };
  #unsent = 0;
  #fault: unknown = null;

  constructor(deps: DeskDeps, maxDecisionAgeMs: number) {
    this.#ledger = deps.ledger;
    this.#broker = deps.broker;
    this.#exchangeNowMs = deps.exchangeNowMs;
    this.#log = deps.log;
    this.#maxDecisionAgeMs = maxDecisionAgeMs;
  }

  /** Orders placed and not yet handed to the broker. */
  get unsent(): number {
    return this.#unsent;
  }

  /** What stopped the desk (a halted journal, or a bug); null while it works. Nothing is sent after it. */
  get fault(): unknown {
    return this.#fault;
  }

  counters(): DeskCounters {
    return { ...this.#counters };
  }

  /** Whether a decision of that time is too old to be sent now. An unknown clock makes it so: better late than wrong. */
  tooOld(decidedAtMs: number): boolean {
    if (this.#broker.catchesUp) return false;
    const now = this.#exchangeNowMs();
    return now === null || now - decidedAtMs > this.#maxDecisionAgeMs;
  }

  /** Counts a decision that was journaled as expired and never came here. */
  noteExpired(): void {
    this.#counters.expired++;
  }

  /** Takes journaled `pending` orders to the broker in the background. Never throws. */
  place(intents: readonly IntentRow[]): void {
    for (const { symbol, clientOrderId } of intents) {
      this.#unsent++;
      this.#enqueue(symbol, async () => {
        this.#unsent--;
        const intent = this.#ledger.find(symbol, clientOrderId);
        if (intent?.status !== "pending") return;
        if (this.tooOld(intent.decidedAt)) this.#expire(intent);
        else await this.#send(intent);
      });
    }
  }

  /** Asks the broker, in the background, for the symbol's orders whose outcome is open; nothing where its queue is busy. */
  reconcile(symbol: string): void {
    if (this.#chains.has(symbol)) return;
    for (const intent of this.#ledger.active(symbol)) {
      this.#enqueue(symbol, () => this.#resolve(intent));
    }
  }

  /** At start, before anything is sent: every order that is not final is looked up by its id. Throws what stopped it. */
  async recover(): Promise<void> {
    for (const intent of this.#ledger.allActive()) {
      // A simulation's open orders live in the journal alone: there is nobody to ask.
      if (this.#broker.catchesUp && intent.status === "open") continue;
      this.#enqueue(intent.symbol, () => this.#resolve(intent));
    }
    await this.idle();
  }

  /** Resolves once everything placed so far is done. Throws what stopped the desk. */
  async idle(): Promise<void> {
    while (this.#chains.size > 0) await Promise.all(this.#chains.values());
    if (this.#fault !== null) throw this.#fault;
  }

  #enqueue(symbol: string, run: () => Promise<void>): void {
    const chain = (this.#chains.get(symbol) ?? Promise.resolve())
      .then(() => (this.#fault === null ? run() : undefined))
      .catch((error: unknown) => {
        this.#fault ??= error;
        this.#log.error(`Orders have stopped: ${messageOf(error)}`);
      })
      .then(() => {
        if (this.#chains.get(symbol) === chain) this.#chains.delete(symbol);
      });
    this.#chains.set(symbol, chain);
  }

  async #send(intent: IntentRow): Promise<void> {
    const sentAt = this.#exchangeNowMs() ?? intent.decidedAt;
    this.#ledger.changeOrder(intent, "unknown", { sentAt });
    this.#counters.sent++;
    const outcome = await this.#submit(intent);
    const sent: IntentRow = { ...intent, status: "unknown", sentAt };
    if (outcome.type === "accepted") {
      this.#ledger.changeOrder(sent, statusAfter(intent, outcome.fills), { fills: outcome.fills });
    } else if (outcome.type === "rejected") {
      this.#counters.rejected++;
      this.#ledger.changeOrder(sent, "rejected", { reason: outcome.reason });
    } else {
      this.#counters.unknown++;
      this.#log.warn(`Order ${intent.clientOrderId} has an unknown outcome: ${outcome.reason}`);
    }
  }

  async #resolve(seen: IntentRow): Promise<void> {
    const intent = this.#ledger.find(seen.symbol, seen.clientOrderId);
    if (intent?.status !== "pending" && intent?.status !== "unknown" && intent?.status !== "open") return;
    const found = await this.#lookup(intent);
    const step = recoveryStep({
      status: intent.status,
      lookup: found.type,
      simulated: this.#broker.catchesUp,
      tooOld: this.tooOld(intent.decidedAt),
      windowPassed: this.#windowPassed(intent),
    });
    if (step === "adopt" && found.type === "found") {
      const status = found.status === "open" ? statusAfter(intent, found.fills) : found.status;
      this.#ledger.changeOrder(intent, status, {
        fills: found.fills,
        ...(found.reason === null ? {} : { reason: found.reason }),
      });
    } else if (step === "send") await this.#send(intent);
    else if (step === "expire") this.#expire(intent);
    else if (step === "doubt") {
      this.#counters.unknown++;
      this.#ledger.changeOrder(intent, "unknown", { sentAt: this.#exchangeNowMs() });
    } else if (step === "lose") {
      this.#counters.lost++;
      const reason = "the venue does not know it, and its validity window has passed";
      this.#ledger.changeOrder(intent, "lost", { reason });
    }
  }

  #expire(intent: IntentRow): void {
    this.#counters.expired++;
    this.#ledger.changeOrder(intent, "expired", { reason: "its candle closed too long ago to be sent" });
  }

  #windowPassed(intent: IntentRow): boolean {
    const now = this.#exchangeNowMs();
    return now !== null && intent.sentAt !== null && now - intent.sentAt > this.#broker.validityWindowMs;
  }

  async #submit(intent: IntentRow): Promise<SubmitOutcome> {
    try {
      return await this.#broker.submit(brokerOrder(intent));
    } catch (error) {
      return { type: "unknown", reason: messageOf(error) };
    }
  }

  async #lookup(intent: IntentRow): Promise<LookupOutcome> {
    try {
      return await this.#broker.lookup(brokerOrder(intent));
    } catch (error) {
      return { type: "unknown", reason: messageOf(error) };
    }
  }
}

export function brokerOrder({ clientOrderId, symbol, side, quantity }: IntentRow): BrokerOrder {
  return { clientOrderId, symbol, side, quantity };
}

function statusAfter(intent: IntentRow, fills: readonly BrokerFill[]): "open" | "filled" {
  const filled = fills.reduce((sum, fill) => sum.plus(fill.quantity), decimal("0"));
  return filled.gte(intent.quantity) ? "filled" : "open";
}
