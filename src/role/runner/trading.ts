import { platform } from "#platform";
import type { ExecutionMode } from "../../core/decision.ts";
import type { Log } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import { openBinanceBroker } from "../../execution/binance/binance-broker.ts";
import { refuseUnwantedVenue, type VenueEndpoint, venueEndpoint } from "../../execution/binance/endpoint.ts";
import type { VenueKeys } from "../../execution/binance/signing.ts";
import type { Broker } from "../../execution/broker.ts";
import { PaperBroker } from "../../execution/paper-broker.ts";
import type { RiskLimits } from "../../execution/risk-limits.ts";
import { readVenueKeys } from "./venue-keys.ts";

/** What a person asked for: flags, and what only the configuration may say. */
export interface TradingWish {
  readonly broker: "paper" | "binance";
  /** --live, typed. */
  readonly live: boolean;
  readonly brokerUrl: string | undefined;
  readonly keyFile: string | undefined;
  /** The host that real orders may go to. */
  readonly liveHost: string | undefined;
  readonly symbols: readonly string[] | undefined;
  /** Undefined where it was not set; null for "none". */
  readonly limits: { readonly [Limit in keyof RiskLimits]: RiskLimits[Limit] | undefined };
}

/** How a runner trades. */
export interface Trading {
  readonly mode: ExecutionMode;
  /** For people: paper, or the venue's host. */
  readonly venue: string;
  readonly limits: RiskLimits;
  openBroker(log: Log): Broker & { counters?(): Readonly<Record<string, number>> };
  announce(log: Log): void;
}

/** Of a runner on paper that sets no limit: a strategy run wild shows, and nothing sane comes near. */
const PAPER_ORDERS_PER_MINUTE = 1000;

const LIMIT_FLAGS: Readonly<Record<keyof RiskLimits, string>> = {
  maxPosition: "--max-position",
  maxNotional: "--max-notional",
  maxOrdersPerMinute: "--max-orders-per-minute",
  maxDailyLoss: "--max-daily-loss",
  priceCollarPercent: "--price-collar",
};

/**
 * Paper, unless everything that real orders need is there. Throws FabricError "refused" (77) naming what is missing for a venue,
 * "config" (78) for limits that a live runner does not set, "usage" where no symbols are named or the address is none, and as
 * `readVenueKeys` does.
 */
export function tradingOf(wish: TradingWish): Trading {
  return wish.broker === "paper" ? onPaper(wish) : atVenue(wish);
}

function onPaper({ live, limits }: TradingWish): Trading {
  if (live)
    throw new FabricError(
      "refused",
      "Cannot trade live: --live needs --broker binance and its configuration; leave --live out for paper trading",
    );
  const { maxOrdersPerMinute } = limits;
  return {
    mode: "paper",
    venue: "paper",
    limits: {
      maxPosition: limits.maxPosition ?? null,
      maxNotional: limits.maxNotional ?? null,
      maxOrdersPerMinute: maxOrdersPerMinute === undefined ? PAPER_ORDERS_PER_MINUTE : maxOrdersPerMinute,
      maxDailyLoss: limits.maxDailyLoss ?? null,
      priceCollarPercent: limits.priceCollarPercent ?? null,
    },
    openBroker: () => new PaperBroker(),
    announce: () => undefined,
  };
}

function atVenue(wish: TradingWish): Trading {
  const { brokerUrl, keyFile, live, liveHost, symbols } = wish;
  const missing = [
    ...(live ? [] : ["--live"]),
    ...(brokerUrl === undefined ? ["broker-url under [runner] in fabric.toml (or FABRIC_RUNNER__BROKER_URL)"] : []),
    ...(keyFile === undefined ? ["key-file there (or FABRIC_RUNNER__KEY_FILE)"] : []),
  ];
  if (brokerUrl === undefined || keyFile === undefined || missing.length > 0)
    throw new FabricError(
      "refused",
      `Cannot send orders to a venue: missing ${missing.join(", ")}; leave --broker out for paper trading`,
    );
  const endpoint = venueEndpoint(brokerUrl);
  refuseUnwantedVenue(endpoint, { live, liveHost: liveHost ?? null });
  if (symbols === undefined)
    throw new FabricError(
      "usage",
      "Cannot trade live on every symbol: expected --symbols, to compare the account with",
    );
  const limits = setLimits(wish);
  return venueTrading(endpoint, readVenueKeys(keyFile), limits);
}

function venueTrading(endpoint: VenueEndpoint, keys: VenueKeys, limits: RiskLimits): Trading {
  const money = endpoint.kind === "live" ? "REAL MONEY" : "a test venue, no real money";
  return {
    mode: "live",
    venue: endpoint.host,
    limits,
    openBroker: (log) => openBinanceBroker({ endpoint, keys }, { ...platform, log }),
    announce: (log) => log.warn(`LIVE: orders go to ${endpoint.host} (${money}); fabric halt stops them`),
  };
}

/** A live runner says of each limit what it is, be it "none". */
function setLimits({ limits }: TradingWish): RiskLimits {
  const { maxPosition, maxNotional, maxOrdersPerMinute, maxDailyLoss, priceCollarPercent } = limits;
  if (
    maxPosition === undefined ||
    maxNotional === undefined ||
    maxOrdersPerMinute === undefined ||
    maxDailyLoss === undefined ||
    priceCollarPercent === undefined
  ) {
    const unset = Object.entries(LIMIT_FLAGS).filter(([limit]) => limits[limit as keyof RiskLimits] === undefined);
    throw new FabricError(
      "config",
      `Cannot trade live without limits: set ${unset.map(([, flag]) => flag).join(", ")} ("none" for no limit), as flags or under [runner] in fabric.toml`,
    );
  }
  return { maxPosition, maxNotional, maxOrdersPerMinute, maxDailyLoss, priceCollarPercent };
}
