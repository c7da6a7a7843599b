import type { VenueId } from "../../venues/contract.ts";
import { BINANCE_SPOT, BINANCE_USDM } from "./binance.ts";
import { BYBIT_SIM } from "./bybit.ts";
import { COINBASE_SIM } from "./coinbase.ts";
import type { SimProtocol } from "./contract.ts";
import { KRAKEN_SIM } from "./kraken.ts";
import { OKX_SIM } from "./okx.ts";

/** What the simulated exchange speaks, by venue. */
export const SIM_PROTOCOLS: Readonly<Record<VenueId, SimProtocol>> = {
  "binance-spot": BINANCE_SPOT,
  "binance-usdm": BINANCE_USDM,
  coinbase: COINBASE_SIM,
  kraken: KRAKEN_SIM,
  bybit: BYBIT_SIM,
  okx: OKX_SIM,
};
