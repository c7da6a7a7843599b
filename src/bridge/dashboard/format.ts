/** "now", "4 s", "2 m 05 s", "3 h 12 m", "2 d 4 h". */
export function formatAge(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 1) return "now";
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${String(s % 60).padStart(2, "0")} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} m`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** HH:MM:SS, in UTC or the viewer's zone. */
export function formatTime(ms: number, zone: "utc" | "local" = "utc"): string {
  return iso(ms, zone).slice(11, 19);
}

/** HH:MM. */
export function formatMinute(ms: number, zone: "utc" | "local" = "utc"): string {
  return iso(ms, zone).slice(11, 16);
}

/** A candle's minute with its date: "2025-01-01 00:04". */
export function formatDateMinute(ms: number, zone: "utc" | "local" = "utc"): string {
  return iso(ms, zone).slice(0, 16).replace("T", " ");
}

/** To the second, with its date: "2025-01-01 00:04:05". */
export function formatDateTime(ms: number, zone: "utc" | "local" = "utc"): string {
  return iso(ms, zone).slice(0, 19).replace("T", " ");
}

/** "14:05" on the day of `today` (a time of it; null where unknown), else with its date, and its year where that is another. */
export function formatMoment(ms: number, today: number | null, zone: "utc" | "local" = "utc"): string {
  const text = formatDateMinute(ms, zone);
  if (today === null) return text;
  const day = formatDateMinute(today, zone);
  if (text.slice(0, 10) === day.slice(0, 10)) return text.slice(11);
  return text.slice(0, 4) === day.slice(0, 4) ? text.slice(5) : text;
}

const MAX_DECIMALS = 8;

/** How many decimals the given prices use, 2 to 8: the closest thing to the instrument's precision that candles tell. */
export function decimalsOf(prices: Iterable<number>): number {
  let most = 2;
  for (const price of prices) {
    const text = String(price);
    if (text.includes("e-")) return MAX_DECIMALS;
    const at = text.indexOf(".");
    if (at >= 0) most = Math.max(most, text.length - at - 1);
  }
  return Math.min(most, MAX_DECIMALS);
}

/** A price with separators and the given decimals. */
export function formatPrice(price: number, decimals = decimalsOf([price])): string {
  return price.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** Profit or loss: always signed. */
export function formatPnl(value: number, decimals = 2): string {
  const text = formatPrice(Math.abs(value), decimals);
  return `${value < 0 && /[1-9]/.test(text) ? "−" : "+"}${text}`;
}

/** A decimal string at the given decimals, or without the zeros at its end; a minus sign of its own width. Never fewer than it needs. */
export function formatQuantity(quantity: string, decimals: number | null = null): string {
  const trimmed = quantity.includes(".") ? quantity.replace(/\.?0+$/, "") : quantity;
  const point = trimmed.indexOf(".");
  const has = point < 0 || /e/i.test(trimmed) ? 0 : trimmed.length - point - 1;
  const padded = decimals !== null && decimals > has && !/e/i.test(trimmed) ? padTo(trimmed, has, decimals) : trimmed;
  return padded.replace("-", "−");
}

function padTo(text: string, has: number, decimals: number): string {
  return `${text}${has === 0 ? "." : ""}${"0".repeat(decimals - has)}`;
}

/** A decimal string as a price. */
export function formatDecimalPrice(price: string | null, decimals: number): string {
  return price === null || Number(price) === 0 ? "–" : formatPrice(Number(price), decimals);
}

/** A decimal string as a fee: four decimals, or as many as its first three digits need: one in BTC or BNB is small. */
export function formatFee(fee: string): string {
  const size = Math.abs(Number(fee));
  const decimals = size === 0 || size >= 0.01 ? 4 : Math.min(MAX_DECIMALS, 2 - Math.floor(Math.log10(size)));
  return Number(fee).toFixed(decimals).replace("-", "−");
}

/** "12.4 MB". */
export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(bytes >= 1e8 ? 0 : 1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}

/** 950, 12.3k, 4.56M; small numbers keep three significant digits. */
export function formatCompact(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${(value / 1e9).toFixed(2)}B`;
  if (size >= 1e6) return `${(value / 1e6).toFixed(2)}M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(1)}k`;
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  return size >= 100 ? value.toFixed(0) : size >= 1 ? value.toFixed(2) : value.toPrecision(3);
}

/** The last moment that a Date can hold, either way from the epoch. */
const LAST_DATE_MS = 8.64e15;

function iso(ms: number, zone: "utc" | "local"): string {
  if (!(Math.abs(ms) <= LAST_DATE_MS - 86_400_000)) return "----------T--:--:--";
  const shift = zone === "local" ? new Date(ms).getTimezoneOffset() * 60_000 : 0;
  return new Date(ms - shift).toISOString();
}
