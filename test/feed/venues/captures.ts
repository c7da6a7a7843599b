import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { VenueId } from "../../../src/feed/venues/contract.ts";
import { recordings } from "../support.ts";

/** The captures of venues that are known here. */
export const CAPTURES: readonly { readonly venue: VenueId; readonly file: string }[] = [
  { venue: "binance-spot", file: "BINANCE.ws.1.0" },
  { venue: "binance-spot", file: "BINANCE_US.ws.1.0" },
  { venue: "binance-usdm", file: "BINANCE_FUTURES.ws.1.0" },
  { venue: "coinbase", file: "COINBASE.ws.28.0" },
  { venue: "kraken", file: "KRAKEN.ws.48.0" },
  { venue: "kraken", file: "KRAKEN.ws.49.0" },
  { venue: "kraken", file: "KRAKEN.ws.50.0" },
  { venue: "bybit", file: "BYBIT.ws.25.0" },
  { venue: "bybit", file: "BYBIT.ws.26.0" },
  { venue: "okx", file: "OKX.ws.1.0" },
];

export function capturePath(file: string): string {
  return `${recordings}/ws-captures/${file}.gz`;
}

export function captureLines(file: string): readonly string[] {
  return gunzipSync(readFileSync(capturePath(file)))
    .toString()
    .split("\n");
}

/** The received texts of a capture, stamps taken off. */
export function receivedTexts(file: string): readonly string[] {
  return captureLines(file).flatMap((line) => /^\d+(?:\.\d+)?: (.*)$/.exec(line)?.[1] ?? []);
}

/** Tagged messages of the venues that are known here. */
export function taggedMessages(): readonly { readonly venue: VenueId; readonly kind: string; readonly raw: string }[] {
  const venues: Readonly<Record<string, VenueId>> = {
    binance: "binance-usdm",
    coinbase_pro: "coinbase",
    kraken: "kraken",
    bybit: "bybit",
    okx: "okx",
    okx_v3: "okx",
  };
  const path = `${recordings}/ws-messages/crypto_msg_parser_raw.jsonl.gz`;
  if (!existsSync(path)) return [];
  const lines = gunzipSync(readFileSync(path)).toString().trim().split("\n");
  return lines.flatMap((line) => {
    const { exchange, kind, raw } = JSON.parse(line) as { exchange: string; kind: string; raw: string };
    const venue = venues[exchange];
    return venue === undefined ? [] : [{ venue, kind, raw }];
  });
}
