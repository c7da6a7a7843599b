import type { Clock, Log } from "../core/env.ts";
import type { DeskCounts } from "./desk-counts.ts";
import type { Ledger, Moment } from "./ledger.ts";
import { type OrderNews, weighNews } from "./order-news.ts";

export interface NewsTakerDeps {
  readonly ledger: Ledger;
  readonly exchangeNowMs: () => number | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** Monotonic ms between two warnings about orders of somebody else. */
const STRANGERS_EVERY_MS = 60_000;

/** Takes what the broker says of orders into the ledger, and counts what is late or told before. */
export class NewsTaker {
  readonly #deps: NewsTakerDeps;
  readonly #counts: DeskCounts;
  #strangersToldMs = Number.NEGATIVE_INFINITY;

  constructor(deps: NewsTakerDeps, counts: DeskCounts) {
    this.#deps = deps;
    this.#counts = counts;
  }

  /** `unknown`: the journal does not know the id. Throws JournalHalted and TradingHalt; then nothing has changed. */
  take(clientOrderId: string, news: OrderNews): "unknown" | "nothing-new" | "changed" {
    const known = this.#deps.ledger.known(clientOrderId);
    if (!known) return "unknown";
    const { intent } = known;
    const verdict = weighNews(known, news);
    this.#counts.fillsRepeated += verdict.repeated;
    if (verdict.late) {
      this.#counts.late++;
      this.#deps.log.warn(`Late word of order ${clientOrderId}, which was ${intent.status}: now ${verdict.status}`);
    }
    if (verdict.fresh.length === 0 && verdict.status === intent.status) return "nothing-new";
    const now = this.now();
    const failed = verdict.status === "rejected";
    if (failed && intent.status !== "rejected") this.#counts.rejected++;
    const patch = {
      status: verdict.status,
      reason: failed ? (news.reason ?? intent.reason) : intent.wish,
      ...(intent.ackWallAt === null ? { ackAt: now.exchangeMs, ackWallAt: now.wallMs } : {}),
    };
    this.#deps.ledger.changeOrder(intent, patch, verdict.fresh, now);
    return "changed";
  }

  /** A report of somebody else's order, who may trade a lot on the same account: told once a minute at most, and counted. */
  tellStranger(clientOrderId: string): void {
    this.#counts.reportsUnknown++;
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs < this.#strangersToldMs + STRANGERS_EVERY_MS) return;
    this.#strangersToldMs = nowMs;
    this.#deps.log.warn(
      `The venue tells of order ${clientOrderId}, which is not this runner's (${this.#counts.reportsUnknown} so far)`,
    );
  }

  now(): Moment {
    return { exchangeMs: this.#deps.exchangeNowMs(), wallMs: this.#deps.clock.nowMs() };
  }
}
