import { Header } from "./header.tsx";
import { Help } from "./help.tsx";
import { route } from "./live.ts";
import { LogsView } from "./logs-view.tsx";
import { MarketView } from "./market-view.tsx";
import { NodesView } from "./nodes-view.tsx";
import type { View } from "./route.ts";
import { ScannerView } from "./scanner-view.tsx";
import { StrategiesView } from "./strategies-view.tsx";

const PAGES: Readonly<Record<View, () => preact.JSX.Element>> = {
  market: MarketView,
  strategies: StrategiesView,
  scanner: ScannerView,
  nodes: NodesView,
  logs: LogsView,
};

export function App() {
  const { view } = route.value;
  const Page = PAGES[view];
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the content
      </button>
      <Header />
      <main id="main" class={`page page-${view}`} tabIndex={-1}>
        <Page />
      </main>
      <footer class="foot">
        <span>Read-only: nothing on this page can act on the market.</span>
        <span>
          Charts by{" "}
          <a href="https://www.tradingview.com/" rel="noreferrer noopener" target="_blank">
            TradingView Lightweight Charts™
          </a>
        </span>
      </footer>
      <Help />
    </>
  );
}
