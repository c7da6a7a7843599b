/** What the stores of growth.ts hold: a minute of every symbol, each minute, without a hole. */
export const SYMBOLS = 100;
export const START = Date.UTC(2025, 0, 1);
export const HOUR_ROWS = 60 * SYMBOLS;

export function symbolAt(index: number): string {
  return `SYM${index}USDT`;
}

export function newestOpenTime(days: number): number {
  return START + (days * 1440 - 1) * 60_000;
}
