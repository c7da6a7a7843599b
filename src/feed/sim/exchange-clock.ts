import type { Clock } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";

/** Exchange ms per wall ms that a simulated exchange can run at. */
export const SPEED_RANGE = { least: 0.1, most: 10_000 } as const;

/** Exchange time: stands still until started, then runs `speed` times as fast as the wall. Never goes back. */
export class ExchangeClock {
  readonly speed: number;
  readonly #clock: Clock;
  #anchorExchangeMs: number;
  #anchorMonotonicMs: number | null = null;

  /** Throws FabricError "usage" for a speed outside SPEED_RANGE. */
  constructor(clock: Clock, speed: number, exchangeMs: number) {
    if (!(speed >= SPEED_RANGE.least && speed <= SPEED_RANGE.most)) {
      throw new FabricError(
        "usage",
        `Cannot run the exchange: expected a speed from ${SPEED_RANGE.least} to ${SPEED_RANGE.most}, found ${speed}`,
      );
    }
    this.speed = speed;
    this.#clock = clock;
    this.#anchorExchangeMs = exchangeMs;
  }

  /** Idempotent. */
  start(): void {
    this.#anchorMonotonicMs ??= this.#clock.monotonicMs();
  }

  /** Whole ms. */
  nowMs(): number {
    if (this.#anchorMonotonicMs === null) return this.#anchorExchangeMs;
    const passedMs = this.#clock.monotonicMs() - this.#anchorMonotonicMs;
    return this.#anchorExchangeMs + Math.floor(passedMs * this.speed);
  }
}
