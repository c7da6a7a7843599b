import { ChartPanel } from "./chart-panel.tsx";
import { Header } from "./header.tsx";
import { LogsPanel } from "./logs-panel.tsx";
import { MetricsPanel } from "./metrics-panel.tsx";
import { NodesPanel } from "./nodes-panel.tsx";
import { PositionsPanel } from "./positions-panel.tsx";
import { RailsPanel } from "./rails-panel.tsx";
import { ScannerPanel } from "./scanner-panel.tsx";
import { Tiles } from "./tiles.tsx";

export function App() {
  return (
    <>
      <Header />
      <main class="page">
        <Tiles />
        <div class="columns">
          <div class="column">
            <ChartPanel />
            <PositionsPanel />
            <ScannerPanel />
          </div>
          <div class="column side">
            <NodesPanel />
            <RailsPanel />
            <MetricsPanel />
          </div>
        </div>
        <LogsPanel />
      </main>
      <footer class="foot">
        <span>Read-only: nothing on this page can act on the market. Times are UTC.</span>
        <span>
          Charts by{" "}
          <a href="https://www.tradingview.com/" rel="noreferrer noopener" target="_blank">
            TradingView Lightweight Charts™
          </a>
        </span>
      </footer>
    </>
  );
}
