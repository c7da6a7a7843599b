import { MARKET_FRESH_MS } from "../../bridge/contract.ts";
import type { FeedGap } from "../../core/candle.ts";
import { MINUTE_MS, toRfc3339 } from "../../core/time.ts";
import type { HeartbeatBody } from "../../core/wire.ts";
import type { StoreView } from "../../store/contract.ts";
import { durationText } from "../top/page.ts";
import type { Evidence, GapEvidence, ManifestEvidence, MarketEvidence, NodeEvidence } from "./evidence.ts";
import { bounded, count, type Finding, well, wrong } from "./finding.ts";

/** More than this between two clocks of one machine is no delay of a message. */
export const MOST_SKEW_MS = 1000;
/** Wall ms by which a minute's candle may be late: market-data waits so long for the venue before it gives a minute up. */
export const MOST_LATE_MS = 10_000;
/** A gap that ended longer ago than this, in exchange time, is history. */
export const RECENT_GAP_MS = 60 * MINUTE_MS;

const NO_MARKET = "see what is found about market-data, its endpoint and its state";

/** Everything about the market's data: what reaches a subscriber, what readers find, how old it is, what is missing. */
export function judgeMarket(evidence: Evidence): readonly Finding[] {
  const { manifest, market, gaps } = evidence;
  const marketData = evidence.nodes.find((node) => node.role === "market-data" && node.alive);
  const listens = marketData !== undefined && "version" in evidence.libzmq;
  const findings: Finding[] = listens ? [judgeReceiving(market), judgeClock(market), ...judgeVenue(marketData)] : [];
  findings.push(...judgeManifest(manifest, market.heartbeat, marketData !== undefined));
  if (manifest.kind !== "read") return findings;
  if (listens) findings.push(...judgeAges(manifest.view, market.heartbeat, marketData));
  findings.push(judgeGaps(gaps, market.heartbeat?.exchangeTime ?? manifest.view.closedThrough));
  return findings;
}

function judgeReceiving(market: MarketEvidence): Finding {
  const { heartbeats, candles, committed, missed } = market;
  const listened = `${(market.listenedMs / 1000).toFixed(1)} s`;
  if (heartbeats === 0 && candles === 0) {
    return wrong(
      "receiving",
      `nothing was heard of market-data in ${listened}; a heartbeat comes once a second`,
      NO_MARKET,
    );
  }
  const heard = `${count(heartbeats, "heartbeat")} and ${count(candles, "candle")} heard in ${listened}`;
  if (heartbeats === 0) return wrong("receiving", `${heard}: its heartbeat is missing`, NO_MARKET);
  if (missed > 0) {
    return wrong(
      "receiving",
      `${heard}: ${missed} of the ${committed} candles committed meanwhile did not come`,
      "the fast rail loses messages (consumers read them from the store): this machine or market-data is overloaded",
    );
  }
  return well("receiving", `${heard}, all ${committed} that were committed meanwhile among them`);
}

function judgeClock({ skewMs }: MarketEvidence): Finding {
  if (skewMs === null) return wrong("clock", "market-data sent nothing that tells its clock", NO_MARKET);
  const skew = `market-data's clock is ${Math.abs(Math.round(skewMs))} ms ${skewMs < 0 ? "ahead of" : "behind"} ours, delivery included`;
  if (Math.abs(skewMs) <= MOST_SKEW_MS) return well("clock", skew);
  return wrong(
    "clock",
    skew,
    "set both clocks by one time server (timedatectl set-ntp true); an overloaded machine looks the same",
  );
}

/** The exchange's time stands still with a silent venue, and then nothing is ever due: so its silence is a finding of its own. */
function judgeVenue({ node, health }: NodeEvidence): readonly Finding[] {
  if (health === null) return [];
  const { dataAgeMs, details } = health.body;
  if (details.feed === "replay") return [well("venue", `${node} replays a recording, and waits for no venue`)];
  const remedy =
    "see that the venue is up and reached (network, --url; the simulated exchange: fabric status), and market-data's log";
  if (dataAgeMs === null) return [wrong("venue", `${node} has heard nothing of its venue yet`, remedy)];
  const ageMs = dataAgeMs + health.ageMs;
  if (ageMs <= MARKET_FRESH_MS) return [well("venue", `${node} heard its venue ${durationText(ageMs)} ago`)];
  return [wrong("venue", `${node} has heard nothing of its venue for ${durationText(ageMs)}`, remedy)];
}

function judgeManifest(
  manifest: ManifestEvidence,
  heartbeat: HeartbeatBody | null,
  hasWriter: boolean,
): readonly Finding[] {
  if (manifest.kind === "unreadable") {
    return [
      wrong(
        "manifest",
        manifest.problem,
        "restart market-data, which rebuilds it; for another format use the fabric that wrote it",
      ),
    ];
  }
  if (manifest.kind === "none") {
    const remedy = hasWriter
      ? "market-data publishes it with its first candles: look again, and see its state"
      : "start market-data, which makes the store: fabric market-data --feed live|sim|replay, or fabric up";
    return [wrong("manifest", "there is no manifest: nothing is published in this folder yet", remedy)];
  }
  const { view, format } = manifest;
  const through =
    view.closedThrough === null ? "nothing closed yet" : `closed through ${toRfc3339(view.closedThrough)}`;
  const told = `format ${format}, store ${view.storeId}, ${view.throughSeq} rows, ${through}`;
  if (heartbeat === null) return [well("manifest", told)];
  if (heartbeat.storeId !== view.storeId) {
    return [
      wrong(
        "manifest",
        `it is of store ${view.storeId}, and market-data publishes store ${heartbeat.storeId}`,
        "the folder was replaced under a live node, or a foreign one publishes here: restart market-data on this folder",
      ),
    ];
  }
  const lag = heartbeat.commitSeq - view.throughSeq;
  const behindClosed = (heartbeat.closedThrough ?? 0) > (view.closedThrough ?? 0);
  if (lag <= 0 && !behindClosed) return [well("manifest", `${told}, level with market-data's heartbeat`)];
  return [
    wrong(
      "manifest",
      `${told}: ${Math.max(0, lag)} rows behind market-data's heartbeat${behindClosed ? ", and behind its closed minutes" : ""}`,
      "segments are not sealed: see market-data's log, the free space and the write permission on published/",
    ),
  ];
}

/** The newest minute per symbol against the venue's clock: a symbol's next candle is due two minutes after its last one opened. */
function judgeAges(view: StoreView, heartbeat: HeartbeatBody | null, marketData: NodeEvidence): readonly Finding[] {
  if (view.heads.size === 0) return [wrong("data-age", "the store holds no candle yet", NO_MARKET)];
  const exchangeTime = heartbeat?.exchangeTime ?? null;
  if (heartbeat === null || exchangeTime === null) {
    const why = heartbeat === null ? "no heartbeat was heard" : "market-data has not heard the venue's time yet";
    return [wrong("data-age", `cannot be told: ${why}`, NO_MARKET)];
  }
  const followed = marketData.health?.body.details.symbols;
  const hasLeftSymbols = typeof followed === "number" && view.heads.size > followed;
  const ages = [...view.heads].map(([symbol, head]) => {
    const lateMs = (exchangeTime - head.lastOpenTime - 2 * MINUTE_MS) / Math.max(heartbeat.speed, Number.EPSILON);
    return { symbol, lastOpenTime: head.lastOpenTime, lateMs };
  });
  ages.sort((one, other) => other.lateMs - one.lateMs || (one.symbol < other.symbol ? -1 : 1));
  const findings = ages.map(({ symbol, lastOpenTime, lateMs }) => {
    const newest = `${symbol}: newest minute ${toRfc3339(lastOpenTime)}`;
    if (lateMs <= 0) return well("data-age", `${newest}, the next is not due yet by the venue's clock`);
    if (lateMs <= MOST_LATE_MS) return well("data-age", `${newest}, the next is due since ${durationText(lateMs)}`);
    // Every followed symbol has its row or its gap up to closedThrough: one without is followed no more.
    if (hasLeftSymbols && lastOpenTime < (heartbeat.closedThrough ?? 0))
      return well("data-age", `${newest}; market-data follows ${followed} of the store's ${view.heads.size} symbols`);
    return wrong(
      "data-age",
      `${newest}, the next is late by ${durationText(lateMs)} (exchange time ${toRfc3339(exchangeTime)})`,
      "see market-data's state and log: the venue is silent, or the minute waits for its kline",
    );
  });
  return bounded("data-age", findings, "symbols");
}

function judgeGaps(gaps: GapEvidence, nowMs: number | null): Finding {
  if (gaps.kind === "unread") {
    return wrong(
      "gaps",
      `cannot be read: ${gaps.problem}`,
      "restart market-data, which rebuilds missing or damaged segments",
    );
  }
  const { newest } = gaps;
  if (newest === null) return well("gaps", "none in the store");
  const told = `${count(gaps.count, "gap")} in the store, the newest ${gapText(newest)}`;
  const isRecent = nowMs === null || nowMs - newest.toOpenTime < RECENT_GAP_MS;
  if (!isRecent) return well("gaps", told);
  return wrong(
    "gaps",
    told,
    'these minutes are missing for good and strategies were told; mend the cause, and list all with: fabric query "from feed_gap"',
  );
}

function gapText(gap: FeedGap): string {
  return `${gap.symbol} ${toRfc3339(gap.fromOpenTime)} to ${toRfc3339(gap.toOpenTime)} (${gap.reason})`;
}
