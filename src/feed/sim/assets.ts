const QUOTES = ["USDT", "USDC", "FDUSD", "USD", "EUR", "BTC", "ETH", "BNB"];

/** A pair's two assets, told from its name: the quote is the longest known ending, USDT where none is. */
export function assetsOf(symbol: string): { readonly base: string; readonly quote: string } {
  const quote = QUOTES.find((asset) => symbol.endsWith(asset) && symbol.length > asset.length) ?? "USDT";
  return { base: symbol.endsWith(quote) ? symbol.slice(0, -quote.length) : symbol, quote };
}
