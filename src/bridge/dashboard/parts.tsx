import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { STALE_AFTER_MS } from "../contract.ts";
import type { Advice } from "./advice.ts";
import { formatAge, formatPnl } from "./format.ts";
import { chooseSymbol, now } from "./live.ts";
import { profitDecimals } from "./precision.ts";

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
  readonly class?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section class={`panel panel-${props.name} ${props.class ?? ""}`} aria-labelledby={`title-${props.name}`}>
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

export function ModeBadge({ mode }: { readonly mode: "paper" | "live" }) {
  return <span class={`mode mode-${mode}`}>{mode === "live" ? "LIVE" : "PAPER"}</span>;
}

/** What there is not yet, and the command that brings it. */
export function Empty({ children, run }: { readonly children: ComponentChildren; readonly run?: string | undefined }) {
  return (
    <div class="empty">
      <p>{children}</p>
      {run !== undefined && <Command text={run} />}
    </div>
  );
}

/** A command to be typed, with a button that copies it. */
export function Command({ text }: { readonly text: string }) {
  return (
    <span class="command">
      <code>{text}</code>
      <CopyButton label={`Copy ${text}`} text={() => text} />
    </span>
  );
}

const TOLD_MS = 1500;

export function CopyButton(props: {
  readonly label: string;
  readonly text: () => string;
  readonly children?: ComponentChildren;
}) {
  const [outcome, setOutcome] = useState<"copied" | "failed" | null>(null);
  useEffect(() => {
    if (outcome === null) return undefined;
    const timer = setTimeout(() => setOutcome(null), TOLD_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = () => {
    // Without https, and not on this machine, browsers offer no clipboard.
    const writing = navigator.clipboard?.writeText(props.text()) ?? Promise.reject(new Error("no clipboard"));
    writing.then(
      () => setOutcome("copied"),
      () => setOutcome("failed"),
    );
  };
  const told = outcome === "copied" ? "Copied" : "Cannot copy here";
  return (
    <button
      type="button"
      class="button button-small"
      aria-label={props.children ? undefined : props.label}
      onClick={copy}
    >
      {outcome === null ? (props.children ?? "Copy") : told}
    </button>
  );
}

/** A box that scrolls by keyboard, too. */
export function Scroll(props: {
  readonly label: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
    <section class={`scroll ${props.class ?? ""}`} aria-label={props.label} tabIndex={0}>
      {props.children}
    </section>
  );
}

export function SymbolLink({ symbol }: { readonly symbol: string }) {
  return (
    <button type="button" class="linkish" onClick={() => chooseSymbol(symbol)} title={`Chart of ${symbol}`}>
      {symbol}
    </button>
  );
}

export function Side({ side }: { readonly side: "buy" | "sell" }) {
  return <b class={side === "buy" ? "up" : "down"}>{side}</b>;
}

/** Profit or loss out of a decimal string, in the quote asset; a dash where it is not known. */
export function Pnl(props: {
  readonly value: string | null;
  readonly quote: string | null;
  readonly tag?: "span" | "td";
}) {
  const { value, quote, tag = "span" } = props;
  const Tag = tag;
  const amount = Number(value ?? 0);
  const tone = amount > 0 ? "up" : amount < 0 ? "down" : "dim";
  return (
    <Tag class={`num ${tag === "td" ? "right" : ""} ${tone}`}>
      {value === null ? "–" : formatPnl(amount, profitDecimals(quote))}
    </Tag>
  );
}

/** A column's head. `roomy`: only where there is room. */
export function Th(props: {
  readonly children: ComponentChildren;
  readonly right?: boolean;
  readonly roomy?: boolean;
}) {
  return (
    <th scope="col" class={`${props.right ? "right" : ""} ${props.roomy ? "roomy" : ""}`}>
      {props.children}
    </th>
  );
}

/** Calls `run` once the element comes near the screen, and what that gives when it leaves for good. */
export function useOnSight<T extends HTMLElement>(run: (box: T) => () => void, keys: readonly unknown[]) {
  const box = useRef<T>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    let stop: (() => void) | null = null;
    const observer = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting && !stop) stop = run(element);
      else if (!entry?.isIntersecting) {
        stop?.();
        stop = null;
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      stop?.();
    };
  }, keys);
  return box;
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

/** What is wrong with a node, and the command that helps. */
export function AdviceBox({ advice }: { readonly advice: Advice }) {
  return (
    <div class={`advice advice-${advice.tone}`}>
      <div>
        <strong>{advice.title}.</strong> {advice.what}
      </div>
      <Command text={advice.command} />
    </div>
  );
}
