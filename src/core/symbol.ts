import { FabricError } from "./errors.ts";

/** A venue symbol as fabric writes it. */
export const SYMBOL_PATTERN = /^[A-Z0-9][A-Z0-9._/-]{0,39}$/;
const NODE_NAME = /^[a-z0-9][a-z0-9._-]{0,47}$/i;

/** A node's name: unique in a data folder, used in file names. Made by `nodeName`. */
export type NodeName = string & { readonly __brand: "NodeName" };

/** Most symbols one command may name. */
export const MAX_SYMBOLS = 5000;

/** Whether `text` is a venue symbol as fabric writes it: upper case, digits, and . _ / - inside; 1 to 40 characters. */
export function isSymbol(text: string): boolean {
  return SYMBOL_PATTERN.test(text);
}

/** Quote assets of the venues' joined names, as far as no longer one ends so: Binance, Bybit and Kraken's v1 write base and quote together. */
const QUOTE_ASSETS = [
  ...["USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDP", "DAI", "USD", "EUR", "GBP", "TRY", "BRL", "JPY", "AUD", "CHF"],
  ...["BTC", "XBT", "ETH", "BNB"],
].sort((a, b) => b.length - a.length);

/** The asset that a symbol is priced in, by its name: what follows / - or _, or a known asset at its end. Null where neither tells. */
export function quoteAssetOf(symbol: string): string | null {
  const separated = /[-/_]([A-Z0-9]+)$/.exec(symbol)?.[1];
  if (separated !== undefined) return separated;
  return QUOTE_ASSETS.find((asset) => symbol.length > asset.length && symbol.endsWith(asset)) ?? null;
}

/** Parses `BTCUSDT,ETHUSDT`; order kept. Throws FabricError "usage" on an empty list, a bad or a repeated symbol. */
export function parseSymbols(text: string): readonly string[] {
  const symbols = text.split(",").map((part) => part.trim());
  for (const symbol of symbols) {
    if (!isSymbol(symbol)) {
      throw new FabricError("usage", `Bad symbol "${symbol}": expected upper-case letters and digits such as BTCUSDT`);
    }
  }
  const repeated = symbols.find((symbol, index) => symbols.indexOf(symbol) !== index);
  if (repeated !== undefined) throw new FabricError("usage", `Symbol ${repeated} is named twice`);
  if (symbols.length > MAX_SYMBOLS) {
    throw new FabricError("usage", `Too many symbols: at most ${MAX_SYMBOLS}, found ${symbols.length}`);
  }
  return symbols;
}

/** Validates a node name; throws FabricError "usage". */
export function nodeName(text: string): NodeName {
  if (!NODE_NAME.test(text)) {
    throw new FabricError(
      "usage",
      `Bad node name "${text}": expected 1 to 48 letters, digits, dots, dashes or underscores`,
    );
  }
  return text as NodeName;
}
