import type { Timeframe } from "../../core/timeframe.ts";
import type { CandlePage } from "./candle-series.ts";

/** What the bridge answered: data, or a sentence that says why not. `absent`: it does not know the symbol. */
export type Answer<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "absent" }
  | { readonly kind: "failed"; readonly reason: string };

export interface RecordedGap {
  readonly gapSeq: number;
  readonly fromOpenTime: number;
  readonly toOpenTime: number;
  readonly reason: string;
}

/** A session that asks for nothing for a day ends, and a page that only listens asks for nothing. */
export const IN_USE_EVERY_MS = 3_600_000;

/** Tells the bridge that this page is still looked at. Never rejects: whether the bridge is there is the event stream's to tell. */
export async function tellInUse(): Promise<void> {
  await fetch("/", { method: "HEAD", cache: "no-store" }).catch(() => null);
}

/** Bars of one page: six screens of a wide window. */
const PAGE_BARS = 600;
const GAPS = 20;

export function fetchCandles(symbol: string, timeframe: Timeframe, before: number | null): Promise<Answer<CandlePage>> {
  const from = before === null ? "" : `&before=${before}`;
  return ask(`/api/candles?symbol=${encodeURIComponent(symbol)}&timeframe=${timeframe}&limit=${PAGE_BARS}${from}`);
}

export function fetchGaps(symbol: string): Promise<Answer<{ readonly gaps: readonly RecordedGap[] }>> {
  return ask(`/api/gaps?symbol=${encodeURIComponent(symbol)}&limit=${GAPS}`);
}

/** Recorded gaps as they are told: a sentence where it is not known whether there are any. */
export function gapsTold(answer: Answer<{ readonly gaps: readonly RecordedGap[] }>): readonly RecordedGap[] | string {
  if (answer.kind === "ok") return answer.value.gaps;
  return answer.kind === "failed" ? answer.reason : "The store has no candle of it";
}

/** When to ask for gaps again, ms: soon where there was no answer, or a store that is just being made would stay unread for a minute. */
export function nextGapsLookMs({ kind }: Answer<unknown>): number {
  return { ok: 60_000, absent: 10_000, failed: 3000 }[kind];
}

async function ask<T>(url: string): Promise<Answer<T>> {
  try {
    const reply = await fetch(url);
    if (reply.status === 404) return { kind: "absent" };
    const body = (await reply.json()) as T & { readonly error?: string };
    if (reply.ok) return { kind: "ok", value: body };
    return { kind: "failed", reason: body.error ?? `The bridge answered ${reply.status}` };
  } catch {
    return { kind: "failed", reason: "The bridge does not answer" };
  }
}
