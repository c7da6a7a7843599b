/** One name for what venues write as BTCUSDT, BTC/USDT, BTC-USDT and XBTUSDT. */
function plain(text: string): string {
  return text
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, "")
    .replace(/^XBT|XBT$/, "BTC");
}

/**
 * The symbols that `typed` may mean, best first: the same name, then names that begin with it, then names that hold it, each in
 * alphabetical order. Separators and case do not count. All of them where nothing is typed.
 */
export function searchSymbols(symbols: readonly string[], typed: string, most: number): readonly string[] {
  const wanted = plain(typed);
  const ranked = symbols.flatMap((symbol) => {
    const rank = rankOf(plain(symbol), wanted);
    return rank === null ? [] : [{ symbol, rank }];
  });
  ranked.sort((a, b) => a.rank - b.rank || (a.symbol < b.symbol ? -1 : 1));
  return ranked.slice(0, most).map(({ symbol }) => symbol);
}

function rankOf(name: string, wanted: string): number | null {
  if (name === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  return name.includes(wanted) ? 2 : null;
}
