import type { ComponentChildren } from "preact";
import { STALE_AFTER_MS } from "../contract.ts";
import { formatAge } from "./format.ts";
import { now } from "./live.ts";

/** Whether a value heard at this time is too old to be shown as fresh. */
export function isStale(heardAtMs: number): boolean {
  return now.value - heardAtMs > STALE_AFTER_MS;
}

export function staleClass(heardAtMs: number): string {
  return isStale(heardAtMs) ? "is-stale" : "";
}

export function Panel(props: {
  readonly title: string;
  readonly meta?: ComponentChildren;
  readonly name: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section class={`panel panel-${props.name}`} aria-labelledby={`title-${props.name}`}>
      <header class="panel-head">
        <h2 id={`title-${props.name}`}>{props.title}</h2>
        <div class="panel-meta">{props.meta}</div>
      </header>
      {props.children}
    </section>
  );
}

/** An age that turns amber when it is a stale one. */
export function Age({ ms, limitMs = STALE_AFTER_MS }: { readonly ms: number; readonly limitMs?: number }) {
  return <span class={`age num ${ms > limitMs ? "age-old" : ""}`}>{formatAge(ms)}</span>;
}

export function Badge({ tone, children }: { readonly tone: string; readonly children: ComponentChildren }) {
  return <span class={`badge tone-${tone}`}>{children}</span>;
}

export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

const WIDTH = 56;
const HEIGHT = 18;

/** A line of the newest closes; nothing below two of them. */
export function Sparkline({ values, rises }: { readonly values: readonly number[]; readonly rises: boolean }) {
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map(
    (value, i) => `${(i * step).toFixed(1)},${(HEIGHT - 2 - ((value - low) / span) * (HEIGHT - 4)).toFixed(1)}`,
  );
  return (
    <svg class={`spark ${rises ? "up" : "down"}`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      {values.length > 1 && <polyline points={points.join(" ")} />}
    </svg>
  );
}
