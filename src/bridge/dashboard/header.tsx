import { useEffect } from "preact/hooks";
import { conditionOf } from "./condition.ts";
import { formatTime } from "./format.ts";
import { helpOpen } from "./keyboard.ts";
import { goTo, link, model, now, revision, route } from "./live.ts";
import { VIEWS, type View } from "./route.ts";
import { theme, toggleTheme, toggleZone, zone } from "./settings.ts";

const ICONS: Readonly<Record<View, string>> = {
  market: "M6 5v3m0 8v3M4 8h4v8H4zm12-5v3m0 9v4M14 6h4v9h-4z",
  strategies: "M3 17l5-6 4 3 8-9m0 0h-5m5 0v5",
  scanner: "M4 6h16M4 12h10M4 18h6m5-1 2 2 4-4",
  nodes: "M12 4v6m0 0H6v4m6-4h6v4M4 14h4v5H4zm12 0h4v5h-4zM10 2h4v4h-4z",
  logs: "M4 6h16M4 10h16M4 14h10M4 18h13",
};

/** Name, views, paper or live, the state of the connection and of the market, the time: on every page. */
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
      <Navigation />
      <Modes />
      <Banner />
      <div class="tools">
        <button type="button" class="clock num" onClick={toggleZone} title="Switch between UTC and local time">
          <time>{formatTime(now.value, zone.value)}</time> {zone.value === "utc" ? "UTC" : "local"}
        </button>
        <button
          type="button"
          class="icon"
          onClick={toggleTheme}
          aria-label={theme.value === "dark" ? "Light theme" : "Dark theme"}
          title={theme.value === "dark" ? "Light theme" : "Dark theme"}
        >
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path
              d={
                theme.value === "dark"
                  ? "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2m0 16v2M4.9 4.9l1.4 1.4m11.4 11.4 1.4 1.4M2 12h2m16 0h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4"
                  : "M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.500 10.500z"
              }
            />
          </svg>
        </button>
        <button
          type="button"
          class="icon icon-help"
          aria-label="Keys and help"
          title="Keys and help (?)"
          onClick={() => {
            helpOpen.value = true;
          }}
        >
          ?
        </button>
      </div>
    </header>
  );
}

function Navigation() {
  return (
    <nav class="nav" aria-label="Views">
      {VIEWS.map((view, i) => (
        <a
          key={view}
          href={`#/${view}`}
          aria-current={route.value.view === view ? "page" : undefined}
          title={`Key ${i + 1}`}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey) return;
            event.preventDefault();
            goTo(view);
          }}
        >
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d={ICONS[view]} />
          </svg>
          {`${view[0]?.toUpperCase()}${view.slice(1)}`}
        </a>
      ))}
    </nav>
  );
}

/** Which kinds of money are at work: never to be guessed. */
function Modes() {
  const modes = new Set(
    [...model.nodes.values()]
      .map((node) => node.positions?.mode ?? node.health?.mode ?? null)
      .filter((mode) => mode !== null),
  );
  if (modes.size === 0)
    return (
      <span class="mode mode-none" title="No runner has been heard: nothing trades, neither on paper nor live">
        no runner
      </span>
    );
  return (
    <span class="modes">
      {[...modes].sort().map((mode) => (
        <span key={mode} class={`mode mode-${mode}`} title={mode === "live" ? "Real money" : "Simulated fills"}>
          {mode === "live" ? "LIVE MONEY" : "PAPER"}
        </span>
      ))}
    </span>
  );
}

function Banner() {
  const { tone, title, detail } = conditionOf(model, link.value, now.value, zone.value);
  const { view, symbol } = route.value;
  const page = view === "market" && symbol !== null ? symbol : `${view[0]?.toUpperCase()}${view.slice(1)}`;
  const tab = `${tone === "live" ? "" : `${title}: `}${page} · fabric`;
  useEffect(() => {
    document.title = tab;
  }, [tab]);
  return (
    <>
      <div class={`banner banner-${tone}`} data-state={tone} title={`${title}: ${detail}`}>
        <span class="pulse" aria-hidden="true" />
        <strong>{title}</strong>
        <span class="banner-detail">{detail}</span>
      </div>
      {/* Spoken when the state changes; the ages beside it would be read out every second. */}
      <span class="unseen" role="status">
        {title}
      </span>
    </>
  );
}
