import { assert } from "../core/errors.ts";
import type { TruthChange, TruthState } from "./ports.ts";

/**
 * What to do with the next transaction. "write" it; it is "done" already; "rework": the one in doubt took place, the state is now
 * what was found, and this one was worked out from an older state; "wait": the one in doubt took place, and its caller, who
 * repeats it, has to learn so first.
 */
export type Settlement = "write" | "done" | "rework" | "wait";

/** The transaction that failed last, where nobody could tell whether it is in the file all the same. */
export class UnsettledWrite {
  #doubt: { readonly after: TruthState; readonly change: TruthChange } | null = null;

  get isPending(): boolean {
    return this.#doubt !== null;
  }

  /** It failed, and would have led to `after`. */
  doubt(after: TruthState, change: TruthChange): void {
    this.#doubt = { after, change };
  }

  /** It is known what became of it. */
  settled(): void {
    this.#doubt = null;
  }

  /** Before another transaction, which would lead to `after`: `found` is what the file says, `known` what was known before the doubt. */
  settle(found: TruthState, known: TruthState, after: TruthState): Settlement {
    const doubt = this.#doubt;
    if (doubt === null || isSame(found, known)) {
      this.#doubt = null;
      return "write";
    }
    assert(isSame(found, doubt.after), "a failed transaction is either wholly in the store or not at all");
    // Rows and gaps are offered again by the commit pipeline, which must not number them a second time.
    const isRepeated = doubt.change.rows.length > 0 || doubt.change.gaps.length > 0;
    if (!isSame(found, after) && isRepeated) return "wait";
    this.#doubt = null;
    return isSame(found, after) ? "done" : "rework";
  }
}

export function isSame(one: TruthState, other: TruthState): boolean {
  return (
    one.commitSeq === other.commitSeq &&
    one.revisionSeq === other.revisionSeq &&
    one.gapSeq === other.gapSeq &&
    one.closedThrough === other.closedThrough &&
    one.environment === other.environment
  );
}
