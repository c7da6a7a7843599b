import { platform } from "#platform";
import type { StoredCandle } from "../../core/candle.ts";
import type { DeliveryCursor, DeliveryEvent, SymbolCursor } from "../../core/delivery.ts";
import { EMPTY_DIGEST, extendDigest } from "../../core/digest.ts";
import type { Log, OpenSqlite, SqlDatabase } from "../../core/env.ts";
import { nodeName } from "../../core/symbol.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { openJournal } from "../../execution/journal.ts";
import { PaperBroker } from "../../execution/paper-broker.ts";
import { RunnerCore } from "../../execution/runner-core.ts";
import { StrategyHost } from "../../strategy/host.ts";
import { asStrategy } from "../../strategy/load.ts";
import { strategySettings } from "../../strategy/params.ts";
import { builtinOrFile } from "../user-file.ts";
import { contentsOf, type JournalContents } from "./journals.ts";

const SILENT: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export interface Undisturbed {
  readonly runner: string;
  /** Its strategy's file. */
  readonly strategy: string;
  readonly symbols: readonly string[];
  readonly rows: readonly StoredCandle[];
  /** What the hurt runner's journal holds: where it began, and how far it came by symbol. */
  readonly found: JournalContents;
}

/** A runner that nobody hurts, on a journal in memory, over the same rows from the same start to the same end. */
export async function undisturbedRun(options: Undisturbed): Promise<JournalContents> {
  const { runner, rows, found, symbols } = options;
  const strategy = await builtinOrFile("strategy", options.strategy, new Map(), asStrategy);
  const host = new StrategyHost(strategy, strategySettings(strategy, ""));
  const memory = inMemory();
  const journal = openJournal(
    { openSqlite: memory.open, files: { ...platform.files, makeFolder: () => undefined } },
    "",
    {
      storeId: found.storeId,
      mode: "paper",
      runner: nodeName(runner),
      ...host.identity,
      symbols,
      timeframe: host.timeframe,
    },
  );
  const core = new RunnerCore({
    journal,
    broker: new PaperBroker(),
    maker: host,
    market: historyOf(rows, found.storeId),
    exchangeNowMs: () => null,
    halted: () => null,
    clock: platform.clock,
    timers: platform.timers,
    log: SILENT,
  });
  try {
    const cursor = await core.start(found.startSeq);
    const ends = new Map(found.cursors.map((each) => [String(each.symbol), Number(each.commit_seq)]));
    const through = rows.filter((row) => row.commitSeq <= (ends.get(row.symbol) ?? 0));
    for (const { event, cursor: at } of deliveryAfter(through, cursor)) await core.handle(event, at);
    return contentsOf(memory.database());
  } finally {
    await core.close();
  }
}

/** One SQLite database in memory, whatever path is asked for; to be read before it is closed. */
function inMemory(): { open: OpenSqlite; database(): SqlDatabase } {
  let opened: SqlDatabase | null = null;
  return {
    open: () => {
      opened = platform.openSqlite(":memory:", { readOnly: false });
      return opened;
    },
    database() {
      if (opened === null) throw new Error("the journal in memory was not opened");
      return opened;
    },
  };
}

function historyOf(rows: readonly StoredCandle[], storeId: string) {
  return {
    view: () => Promise.resolve({ storeId, throughSeq: rows.length }),
    history: (symbol: string, from: number, to: number) =>
      Promise.resolve(
        rows
          .filter((row) => row.symbol === symbol && row.openTime >= from && row.openTime <= to)
          .sort((one, other) => one.openTime - other.openTime),
      ),
  };
}

interface Delivered {
  readonly event: DeliveryEvent;
  readonly cursor: DeliveryCursor;
}

/** The delivery after a cursor, straight from its definition in design.md: the provider has no part in it. */
function* deliveryAfter(rows: readonly StoredCandle[], from: DeliveryCursor): Generator<Delivered> {
  const symbols = new Map<string, SymbolCursor>(from.symbols);
  for (const row of rows) {
    const at = symbols.get(row.symbol);
    if (row.commitSeq <= from.throughSeq || row.provenance === "imported" || row.provenance === "partial") continue;
    if (at && row.openTime <= at.lastOpenTime) continue;
    if (at && row.openTime > at.lastOpenTime + MINUTE_MS) {
      const gap = { fromOpenTime: at.lastOpenTime + MINUTE_MS, toOpenTime: row.openTime - MINUTE_MS };
      const cursor = { storeId: from.storeId, throughSeq: row.commitSeq - 1, symbols: new Map(symbols) };
      yield { event: { type: "gap", symbol: row.symbol, ...gap }, cursor };
    }
    symbols.set(row.symbol, {
      lastOpenTime: row.openTime,
      digest: extendDigest(at?.digest ?? EMPTY_DIGEST, row),
      delivered: (at?.delivered ?? 0) + 1,
    });
    const cursor = { storeId: from.storeId, throughSeq: row.commitSeq, symbols: new Map(symbols) };
    yield { event: { type: "candle", candle: row }, cursor };
  }
}
