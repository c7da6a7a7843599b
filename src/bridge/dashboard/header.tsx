import { STALE_AFTER_MS } from "../contract.ts";
import { marketReadiness } from "../freshness.ts";
import { formatAge, formatTime } from "./format.ts";
import { link, model, now, revision } from "./live.ts";

/** Name, paper or live, the state of the connection and of the market, the time. */
export function Header() {
  void revision.value;
  return (
    <header class="top">
      <div class="brand">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M8 20V12m0 12v-4m8-8V6m0 16v-6m8 0V9m0 16v-5" />
        </svg>
        <h1>fabric</h1>
        <span class="version">{model.bridge?.version}</span>
      </div>
      <Modes />
      <Banner />
      <time class="clock num">{formatTime(now.value)} UTC</time>
    </header>
  );
}

/** Which kinds of money are at work: never to be guessed. */
function Modes() {
  const modes = new Set(
    [...model.nodes.values()]
      .map((node) => node.positions?.mode ?? node.health?.mode ?? null)
      .filter((mode) => mode !== null),
  );
  if (modes.size === 0) return <span class="mode mode-none">no runner</span>;
  return (
    <span class="modes">
      {[...modes].sort().map((mode) => (
        <span key={mode} class={`mode mode-${mode}`}>
          {mode === "live" ? "LIVE MONEY" : "PAPER"}
        </span>
      ))}
    </span>
  );
}

type Condition = {
  readonly tone: "live" | "wait" | "lost" | "stale";
  readonly title: string;
  readonly detail: string;
};

function Banner() {
  const { tone, title, detail } = condition();
  return (
    <div class={`banner banner-${tone}`} role="status" data-state={tone}>
      <span class="pulse" aria-hidden="true" />
      <strong>{title}</strong>
      <span class="banner-detail">{detail}</span>
    </div>
  );
}

function condition(): Condition {
  const { state, sinceMs } = link.value;
  if (state === "connecting") return { tone: "wait", title: "Connecting", detail: "to the bridge" };
  if (state === "lost") {
    const detail = `bridge unreachable since ${formatTime(sinceMs)}, ${formatAge(now.value - sinceMs)}; values below are old`;
    return { tone: "lost", title: "Reconnecting", detail };
  }
  const healths = [...model.nodes.values()].map((node) => node.health).filter((health) => health !== null);
  const market = marketReadiness(healths, now.value);
  const ageMs = market.dataAgeMs ?? 0;
  if (market.ready) {
    const detail = ageMs < STALE_AFTER_MS ? "market data is fresh" : `market data ${formatAge(ageMs)} old`;
    return { tone: "live", title: "Live", detail };
  }
  if (market.dataAgeMs === null) return { tone: "wait", title: "Waiting", detail: market.reason };
  return { tone: "stale", title: `Stale since ${formatTime(now.value - market.dataAgeMs)}`, detail: market.reason };
}
