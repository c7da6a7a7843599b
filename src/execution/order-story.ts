import type { ExecutionMode } from "../core/decision.ts";
import { FabricError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import type { Timeframe } from "../core/timeframe.ts";
import { type OpenJournal, type ReaderDeps, readJournals } from "./journal-reader.ts";
import { type FillRow, fillFrom, type IntentRow, intentFrom } from "./journal-rows.ts";

/** Everything the journals say of one order. */
export interface OrderStory {
  readonly runner: string;
  readonly mode: ExecutionMode;
  readonly storeId: string;
  readonly timeframe: Timeframe;
  readonly strategy: string;
  readonly version: string;
  /** Canonical JSON. */
  readonly params: string;
  readonly intent: IntentRow;
  readonly fills: readonly FillRow[];
}

const ID = /^[0-9A-Za-z]{1,36}$/;
/** Orders told in one message where the beginning of an id fits several. */
const MOST_TOLD = 5;
/** Newest orders of each journal among which a misspelt id is looked for. */
const NEAR = 1000;

/**
 * The order whose id begins so, out of all journals under a data folder. Throws FabricError "missing-input" where there is none
 * (naming the nearest), "usage" where there are several or it cannot be an id; as `readJournals`.
 */
export function readOrderStory(deps: ReaderDeps, dataFolder: string, id: string): OrderStory {
  if (!ID.test(id))
    throw new FabricError("usage", `Bad order id "${id}": expected letters and digits, or their beginning`);
  const found = readJournals(deps, dataFolder, (journal) => storiesOf(journal, id));
  const [story] = found.length === 1 ? found : found.filter(({ intent }) => intent.clientOrderId === id);
  if (story) return story;
  if (found.length > 1) {
    const told = found.slice(0, MOST_TOLD).map(({ intent, runner }) => `${intent.clientOrderId} (${runner})`);
    const more = found.length > MOST_TOLD ? ", …" : "";
    throw new FabricError(
      "usage",
      `Order id ${id} is the beginning of several: ${told.join(", ")}${more}; give more of it`,
    );
  }
  const near = readJournals(deps, dataFolder, newestIds);
  throw new FabricError(
    "missing-input",
    `There is no order ${id} in the journals of ${dataFolder}${didYouMean(id, near)}`,
  );
}

function storiesOf({ database, runner, mode, meta }: OpenJournal, id: string): readonly OrderStory[] {
  // Letters and digits all sort below the tilde.
  const sql =
    "SELECT * FROM intent WHERE client_order_id >= ? AND client_order_id < ? ORDER BY client_order_id LIMIT ?";
  return database
    .prepare(sql)
    .all(id, `${id}~`, MOST_TOLD + 1)
    .map((row) => {
      const intent = intentFrom(row);
      const fills = database.prepare("SELECT * FROM fill WHERE client_order_id = ? ORDER BY rowid");
      return {
        runner,
        mode,
        storeId: meta.get("storeId") ?? "",
        timeframe: (meta.get("timeframe") ?? "1m") as Timeframe,
        strategy: meta.get("strategy") ?? "",
        version: meta.get("version") ?? "",
        params: meta.get("params") ?? "{}",
        intent,
        fills: fills.all(intent.clientOrderId).map(fillFrom),
      };
    });
}

function newestIds({ database }: OpenJournal): readonly string[] {
  const rows = database.prepare("SELECT client_order_id AS id FROM intent ORDER BY rowid DESC LIMIT ?").all(NEAR);
  return rows.map(({ id }) => String(id));
}
