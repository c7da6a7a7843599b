import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import { toRfc3339 } from "../../core/time.ts";
import { declareRole } from "../../store/guard.ts";
import { type Published, readPublished } from "../../store/published.ts";
import { publishedSymbols } from "../data/published-symbols.ts";
import { checkInputFile } from "../input-file.ts";
import { type DataFolder, dataFolder } from "../lifecycle/data-folder.ts";
import { printTable } from "../tools/print.ts";
import { type Difference, judge } from "./judge.ts";
import { officialFromFiles } from "./official.ts";
import { addOfficial, clearOfficial, pairUp, storedRange } from "./pairs.ts";
import { openVenueKlines } from "./venue-klines.ts";

export interface AuditOptions {
  /** All that are stored where absent. */
  readonly symbols: readonly string[] | undefined;
  /** First and last minute, inclusive, epoch ms; what both sides have where absent. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly against: { readonly files: readonly string[] } | "venue";
  /** WebSocket address of the venue, from which its REST address follows. */
  readonly url: string | undefined;
  readonly json: boolean;
  readonly data: string | undefined;
}

interface ToldMinute {
  readonly symbol: string;
  readonly openTime: string;
  readonly verdict: "explained" | "wrong";
  readonly why: string;
  readonly differences: readonly Difference[];
}

interface SymbolAudit {
  readonly symbol: string;
  readonly from: string;
  readonly to: string;
  readonly minutes: number;
  readonly equal: number;
  readonly explained: number;
  readonly wrong: number;
  /** Official minutes outside that time. */
  readonly outside: number;
}

/** sysexits.h: the data is at fault. */
const EXIT_WRONG = 65;
/** Minutes told one by one, of each verdict; the rest is counted. */
const TOLD = { json: 1000, people: 20 };

/**
 * Holds what is published against official klines, minute by minute and figure by figure; 0 where nothing is wrong, else 65. Reads
 * segments alone, beside a living writer. Throws FabricError "usage", "missing-input", "bad-data", "unavailable", "refused".
 */
export async function runAudit(options: AuditOptions): Promise<number> {
  declareRole("command");
  if (options.against !== "venue") for (const file of options.against.files) checkInputFile("audit against", file);
  const folder = dataFolder(options.data);
  const { audits, rows } = await readPublished(folder.path, "audit", platform, (store) =>
    auditStore(store, options, folder),
  );
  const sum = (name: "minutes" | "equal" | "explained" | "wrong") =>
    audits.reduce((total, audit) => total + audit[name], 0);
  const [minutes, equal, explained, wrong] = [sum("minutes"), sum("equal"), sum("explained"), sum("wrong")];
  const ok = wrong === 0;
  if (options.json) {
    const rowsLeftOut = explained + wrong - rows.length;
    const report = { ok, minutes, equal, explained, wrong, symbols: audits, rows, rowsLeftOut };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  } else {
    printTable(audits.map((audit) => ({ ...audit })));
    if (rows.length > 0) process.stdout.write("\n");
    if (rows.length > 0)
      printTable(rows.map(({ symbol, openTime, verdict, why }) => ({ symbol, openTime, verdict, why })));
    const leftOut = explained + wrong - rows.length;
    if (leftOut > 0) process.stdout.write(`and ${leftOut} more (--json tells more of them)\n`);
    process.stdout.write(
      `\n${ok ? "nothing is wrong" : `${wrong} minutes are wrong`}: ${equal} of ${minutes} minutes equal, ${explained} explained\n`,
    );
  }
  return ok ? 0 : EXIT_WRONG;
}

async function auditStore(store: Published, options: AuditOptions, folder: DataFolder) {
  const { connection } = store;
  const symbols = await publishedSymbols(connection, "audit", options.symbols);
  if (options.against !== "venue" && symbols.length !== 1) {
    const found = symbols.length === 0 ? "no symbol" : symbols.slice(0, 10).join(", ");
    throw new FabricError("usage", `Missing --symbol: expected the one that the file is about, found ${found}`);
  }
  const ask = options.against === "venue" ? await openVenueKlines(store, options.url, folder.run) : null;
  const rows = new ToldRows(options.json ? TOLD.json : TOLD.people);
  const audits: SymbolAudit[] = [];
  for (const symbol of symbols) {
    await clearOfficial(connection);
    if (options.against !== "venue") await officialFromFiles(connection, options.against.files, symbol);
    if (ask) {
      const stored = await storedRange(connection, symbol);
      const range = { from: options.from ?? stored.from, to: options.to ?? stored.to };
      for await (const { candles, untold } of ask(symbol, range))
        await addOfficial(connection, candles, (figure) => !untold.has(figure));
    }
    audits.push(await auditSymbol(store, symbol, options, rows));
  }
  return { audits, rows: rows.told };
}

async function auditSymbol(
  { connection, venue }: Published,
  symbol: string,
  { from, to }: AuditOptions,
  rows: ToldRows,
): Promise<SymbolAudit> {
  const asked = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  const pairing = await pairUp(connection, symbol, asked);
  const counts = { explained: 0, wrong: 0 };
  for await (const page of pairing.pages()) {
    for (const pair of page) {
      const { verdict, why, differences } = judge(pair, venue);
      if (verdict === "equal") continue;
      counts[verdict]++;
      rows.add({ symbol, openTime: toRfc3339(pair.openTime), verdict, why: why ?? "", differences });
    }
  }
  const { minutes, outside, range } = pairing;
  const equal = minutes - counts.explained - counts.wrong;
  return { symbol, from: toRfc3339(range.from), to: toRfc3339(range.to), minutes, equal, ...counts, outside };
}

/** The first minutes of each verdict, so that the wrong ones are told however many are explained. */
class ToldRows {
  readonly #most: number;
  readonly #counts = { explained: 0, wrong: 0 };
  readonly told: ToldMinute[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  add(row: ToldMinute): void {
    if (++this.#counts[row.verdict] <= this.#most) this.told.push(row);
  }
}
