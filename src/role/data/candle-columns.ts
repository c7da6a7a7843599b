/** What a column of a candle file may be. `closeTime` is only looked at: a row must be one minute long. */
export type CandleField =
  | "openTime"
  | "open"
  | "high"
  | "low"
  | "close"
  | "volume"
  | "closeTime"
  | "quoteVolume"
  | "trades"
  | "takerBuyVolume"
  | "takerBuyQuoteVolume"
  | "firstTradeId"
  | "lastTradeId";

/** Without these a row is no candle. */
export const REQUIRED_FIELDS: readonly CandleField[] = ["openTime", "open", "high", "low", "close", "volume"];

/**
 * Column names as exchanges, their archives and the usual tools write them, in lower case without anything but letters and
 * digits: open_time, "Open time", openTime and OPEN-TIME are one name.
 */
const NAMES: Readonly<Record<CandleField, readonly string[]>> = {
  openTime:
    "opentime opentimes opentimems opentimeus time timestamp unix unixtime unixtimestamp starttime start startat ts t".split(
      " ",
    ),
  open: "open o openprice".split(" "),
  high: "high h highprice max".split(" "),
  low: "low l lowprice min".split(" "),
  close: "close c closeprice".split(" "),
  volume: "volume v vol basevolume volumebase baseassetvolume".split(" "),
  closeTime: "closetime endtime end closetimems".split(" "),
  quoteVolume: "quotevolume quoteassetvolume volumequote quotevol turnover".split(" "),
  trades: "trades count n numberoftrades numtrades tradecount tradescount tradenum".split(" "),
  takerBuyVolume: "takerbuyvolume takerbuybasevolume takerbuybaseassetvolume takerbuyvol".split(" "),
  takerBuyQuoteVolume: "takerbuyquotevolume takerbuyquoteassetvolume takerbuyquotevol".split(" "),
  firstTradeId: ["firsttradeid", "firstid"],
  lastTradeId: ["lasttradeid", "lastid"],
};

/**
 * Files without a header, by their number of columns: Binance's klines (public archive and REST documentation), Kraken's
 * downloadable OHLCVT, and the six that everybody has.
 */
const BARE: Readonly<Record<number, readonly (CandleField | null)[]>> = {
  12: [...REQUIRED_FIELDS, "closeTime", "quoteVolume", "trades", "takerBuyVolume", "takerBuyQuoteVolume", null],
  7: [...REQUIRED_FIELDS, "trades"],
  6: REQUIRED_FIELDS,
};

/** Where each field stands in a row. */
export type Columns = ReadonlyMap<CandleField, number>;

/** The columns a header names; a string says what is wrong with it. Unknown names are let be. */
export function columnsOfHeader(names: readonly string[]): Columns | string {
  const columns = new Map<CandleField, number>();
  for (const [at, name] of names.entries()) {
    const bare = name.toLowerCase().replace(/[^a-z0-9]/g, "");
    const field = (Object.keys(NAMES) as CandleField[]).find((each) => NAMES[each].includes(bare));
    if (field === undefined) continue;
    const other = columns.get(field);
    if (other !== undefined) return `its columns "${names[other]}" and "${name}" both are ${snake(field)}`;
    columns.set(field, at);
  }
  const lacking = REQUIRED_FIELDS.filter((field) => !columns.has(field)).map(snake);
  if (lacking.length === 0) return columns;
  return `expected the columns ${REQUIRED_FIELDS.map(snake).join(", ")}; ${lacking.join(", ")} lacking, found ${names.join(", ").slice(0, 200)}`;
}

/** The columns of a file without a header; a string says what was expected. */
export function columnsOfCount(count: number): Columns | string {
  const fields = Object.hasOwn(BARE, count) ? BARE[count] : undefined;
  if (!fields)
    return `expected a header with ${REQUIRED_FIELDS.map(snake).join(", ")}, or 12 (Binance's klines), 7 (with a count of trades) or 6 columns without one; found ${count} columns`;
  return new Map(fields.flatMap((field, at) => (field === null ? [] : [[field, at] as const])));
}

/** A field's name in SQL and in files of ours. */
export function snake(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
