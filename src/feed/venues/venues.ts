import { binanceVenue } from "./binance.ts";
import { BYBIT } from "./bybit.ts";
import { COINBASE } from "./coinbase.ts";
import type { Venue } from "./contract.ts";
import { KRAKEN } from "./kraken.ts";
import { OKX } from "./okx.ts";

/** Every exchange whose protocol is known here. The order is that in which a recording's frames are tried. */
export const VENUES: readonly Venue[] = [
  binanceVenue("binance-spot"),
  binanceVenue("binance-usdm"),
  COINBASE,
  KRAKEN,
  BYBIT,
  OKX,
];
