const ENVELOPE = { v: 1, node: "md", epoch: "life", sentAt: 1_735_689_600_000 };

/** A sound health body of a market-data node named md, changed by `change`. */
export function healthText(change: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    ...ENVELOPE,
    role: "market-data",
    pid: 4242,
    version: "0.1.0",
    uptimeMs: 1000,
    state: "running",
    reason: null,
    dataAgeMs: 100,
    mode: null,
    details: { feed: "binance" },
    ...change,
  });
}

export function metricsText(change: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...ENVELOPE, role: "runner", values: {}, rails: [], ...change });
}

export function logsText(change: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...ENVELOPE, entries: [], dropped: 0, ...change });
}

/** A sound candle of BTCUSDT for the minute at the start of 2025. */
export function candleText(change: Readonly<Record<string, unknown>>): string {
  const openTime = typeof change.openTime === "number" ? change.openTime : 1_735_689_600_000;
  return JSON.stringify({
    ...ENVELOPE,
    storeId: "store",
    symbol: "BTCUSDT",
    openTime,
    closeTime: openTime + 59_999,
    open: 100,
    high: 110,
    low: 90,
    close: 105,
    volume: 12,
    quoteVolume: 1230,
    trades: 7,
    takerBuyVolume: 6,
    takerBuyQuoteVolume: 620,
    firstTradeId: 1,
    lastTradeId: 7,
    provenance: "complete",
    commitSeq: 1,
    prevOpenTime: null,
    ...change,
  });
}
