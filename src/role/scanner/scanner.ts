import { platform } from "#platform";
import { DualRailProvider } from "../../provider/dual-rail-provider.ts";
import { BUILTIN_RULES } from "../../scan/builtins.ts";
import type { ScanRule } from "../../scan/contract.ts";
import { ScanEngine } from "../../scan/engine.ts";
import { asScanRule } from "../../scan/load.ts";
import type { StoreReader, StoreView } from "../../store/contract.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { type Node, type NodeReport, runNode } from "../lifecycle/node.ts";
import { ownName } from "../lifecycle/own-name.ts";
import { aborted } from "../lifecycle/stop-signal.ts";
import { openRails, type Rails } from "../provider-node.ts";
import { patiently, storeStart } from "../store-start.ts";
import { builtinOrFile } from "../user-file.ts";

export interface ScannerOptions {
  /** Built-in names or paths of .ts files; all built-ins where empty. */
  readonly rules: readonly string[];
  readonly name: string | undefined;
  readonly data: string | undefined;
  readonly market: readonly string[];
}

/** Minutes of history that fill the rules' windows before the first live candle. */
const WARMUP_MINUTES = 120;

/** The scanner role: every symbol on the dual rail, ranked by rules, told as telemetry. It has no way to trade. */
export async function runScanner(options: ScannerOptions): Promise<number | undefined> {
  const given = options.rules.length > 0 ? options.rules : [...BUILTIN_RULES.keys()];
  const rules: ScanRule[] = [];
  for (const rule of given) rules.push(await builtinOrFile("scanner rule", rule, BUILTIN_RULES, asScanRule));
  const engine = new ScanEngine(rules);
  const folder = dataFolder(options.data);
  return runNode(
    { role: "scanner", name: ownName(options.name ?? "scanner", "scanner"), folder, publish: [] },
    async (node) => {
      const rails = openRails(folder, "all", options.market, node.log);
      try {
        node.log.info(`Rules ${rules.map((rule) => rule.name).join(", ")} over every symbol`);
        await scan(node, engine, rails);
        return 0;
      } finally {
        await rails.reader.close();
      }
    },
  );
}

async function scan(node: Node, engine: ScanEngine, rails: Rails): Promise<void> {
  let progressMs: number | null = null;
  let provider: DualRailProvider | null = null;
  node.tell({
    report: () => reportOf(engine, provider, progressMs),
    scan: () => ({ rows: engine.rows() }),
  });
  const view = await storeStart(rails.reader, node.stop, { timers: platform.timers, log: node.log });
  if (!view) return;
  await warm(engine, rails.reader, view, node);
  const cursor = { storeId: view.storeId, throughSeq: view.throughSeq, symbols: new Map() };
  provider = new DualRailProvider(
    { reader: rails.reader, market: rails.openMarket(), clock: platform.clock, timers: platform.timers, log: node.log },
    { symbols: "all", cursor, includePartial: false },
  );
  const following = provider;
  void aborted(node.stop).then(() => following.close());
  await following.run((event) => {
    engine.onEvent(event);
    progressMs = platform.clock.monotonicMs();
  });
}

/** History up to the view only: what follows it is delivered. */
async function warm(engine: ScanEngine, reader: StoreReader, view: StoreView, node: Node): Promise<void> {
  for (const [symbol, head] of view.heads) {
    const from = head.lastOpenTime - WARMUP_MINUTES * 60_000;
    const read = () => reader.history(symbol, from, head.lastOpenTime);
    const rows = await patiently(read, node.stop, { timers: platform.timers, log: node.log });
    if (rows === null) return;
    for (const candle of rows) if (candle.provenance !== "partial") engine.onEvent({ type: "candle", candle });
  }
}

function reportOf(engine: ScanEngine, provider: DualRailProvider | null, progressMs: number | null): NodeReport {
  const [failed] = engine.failures;
  const starting = provider === null ? "waiting for the store's first candles" : null;
  const reason = failed ? `rule ${failed[0]} failed: ${failed[1]}` : starting;
  const { candles, resets, repeated, overflow } = engine.counters();
  return {
    state: failed ? "degraded" : provider ? "running" : "starting",
    reason,
    dataAgeMs: progressMs === null ? null : Math.round(platform.clock.monotonicMs() - progressMs),
    mode: null,
    details: { rules: engine.rows().length },
    values: {
      ...provider?.counters(),
      "scan.candles.total": candles,
      "scan.resets.total": resets,
      "scan.repeated.total": repeated,
      "scan.overflow.total": overflow,
    },
    rails: provider?.rails() ?? [],
  };
}
