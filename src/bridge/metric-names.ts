export interface MetricName {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** What a dotted value is multiplied with: Prometheus takes seconds. */
  readonly factor: number;
}

/** Dotted names of counters that do not end in .total. */
const COUNTERS: ReadonlySet<string> = new Set([
  ...["store.commits", "store.rows", "store.skipped", "store.revisions", "store.gaps", "store.compactions"],
  ...["store.rebuiltSegments", "store.rebuiltManifests", "pipeline.committedBatches", "pipeline.failedCommits"],
  ...["pipeline.failedSeals", "pipeline.failedCompactions", "pipeline.refused"],
]);

const HELP: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "process.cpu.percent": "CPU of the process, percent of one core since the last snapshot",
    "process.rss.bytes": "Resident memory of the process",
    "loop.lag.p50.ms": "How late the event loop runs, median of 10 s",
    "loop.lag.p99.ms": "How late the event loop runs, 99th percentile of 10 s",
    "publish.sent.total": "Messages handed to ZeroMQ",
    "publish.dropped.total": "Messages that ZeroMQ did not take",
    "publish.failed.total": "Messages whose sending failed",
    "socket.received.total": "Messages received over ZeroMQ",
    "socket.dropped.total": "Messages received and dropped at a bound",
    "socket.malformed.total": "Frames received that are no message",
    "malformed.total": "Messages received that could not be read",
    "missed.total": "Messages that publishers numbered and that never came",
    "candles.total": "Candles decided on",
    "gaps.total": "Gaps told to the strategy",
    "partial.skipped.total": "Partial candles not given to the strategy",
    "orders.sent.total": "Orders handed to the broker",
    "orders.rejected.total": "Orders that the broker refused",
    "orders.refused.total": "Decisions kept from the broker by a limit, a bound or the kill switch",
    "orders.expired.total": "Decisions that were too old to be sent",
    "orders.unknown.total": "Orders whose outcome was unclear",
    "orders.lost.total": "Orders given up after their validity window",
    "orders.missing": "Orders that the venue had accepted and does not know",
    "orders.unsent": "Orders that wait for the broker",
    "orders.busy.total": "Orders that the venue was too busy to take",
    "orders.late.total": "Fills that came after their order was given up",
    "fills.repeated.total": "Fills told again",
    "lives.total": "Lives of the runner within its process: each after trouble with journal or store",
    "fast.delivered.total": "Candles delivered over the fast rail (ZeroMQ)",
    "fallback.delivered.total": "Candles delivered over the fallback rail (published segments)",
    "duplicates.total": "Candles that came again and were left out",
    "holes.total": "Holes seen on the fast rail and filled from the store",
    "polls.total": "Looks at the published store",
    "reads.total": "Reads of the published store",
    "reader.errors.total": "Reads of the published store that failed",
    "store.absent.total": "Looks that found no store",
    "heartbeats.total": "Heartbeats of market-data heard",
    "epochs.total": "Lives of market-data seen",
    "inbox.size": "Messages waiting to be looked at",
    "inbox.dropped.total": "Messages dropped at the inbox's bound",
    "stash.size": "Candles held until a hole before them is filled",
    "stash.dropped.total": "Held candles dropped at the bound",
    "cursor.throughSeq": "Rows of the store up to here were delivered or are of no concern",
    "cursor.ahead": "Rows delivered beyond the cursor",
    "publish.to.decided.p50.ms": "From a candle's publication to its decision, median",
    "publish.to.decided.p99.ms": "From a candle's publication to its decision, 99th percentile",
    "publish.to.decided.max.ms": "From a candle's publication to its decision, the most of the newest 1,024",
    "close.to.publish.p50.ms": "From a minute's close to its publication, median",
    "close.to.publish.p99.ms": "From a minute's close to its publication, 99th percentile",
    "close.to.publish.max.ms": "From a minute's close to its publication, the most of the newest 1,024",
    "feed.trades.total": "Trades received from the venue",
    "feed.messages.total": "Messages received from the venue",
    "feed.reconnects.total": "Connections to the venue opened anew",
    "feed.malformed.total": "Messages of the venue that could not be read",
    "feed.quiet.total": "Requests that proved a quiet connection alive",
    "ingest.complete.total": "Minutes closed from trades alone",
    "ingest.empty.total": "Minutes closed without a trade",
    "ingest.backfilled.total": "Minutes filled from the venue's klines",
    "ingest.partial.total": "Minutes closed partial",
    "ingest.gaps.total": "Gaps recorded",
    "ingest.holes.total": "Holes in the venue's trade ids",
    "ingest.late.total": "Trades that came after their minute was closed",
    "ingest.lag.max.ms": "How far the slowest symbol's newest closed minute is behind",
    "ingest.waiting": "Minutes that wait for the venue's klines",
    "revisions.waiting": "Corrections that wait to be stored",
    "revisions.dropped.total": "Corrections dropped at the bound",
    "store.commits": "Transactions committed to the store",
    "store.rows": "Candles committed to the store since the node started",
    "store.gaps": "Gaps committed to the store",
    "store.revisions": "Corrections committed to the store",
    "store.segments": "Published segment files",
    "store.lastCommitMs": "Duration of the newest commit",
    "store.lastSealMs": "Duration of the newest seal",
    "pipeline.waitingRows": "Candles that wait for their commit",
    "pipeline.waitingBatches": "Batches that wait for their commit",
    "pipeline.failedCommits": "Commits that failed and are tried again",
    "scan.candles.total": "Candles that the scanner's rules were given",
    "bridge.clients": "Browsers on the event stream",
    "bridge.clients.slow": "Browsers that read slower than events come",
    "bridge.conflated.total": "Events that slow browsers got the newest of only",
    "bridge.clients.cut.total": "Browsers cut off for not reading",
    "bridge.clients.refused.total": "Browsers refused at the client limit",
    "bridge.clients.resumed.total": "Browsers that went on from their last event",
    "bridge.clients.resynced.total": "Browsers that could not go on from their last event and began anew",
    "bridge.requests.total": "Requests to the bridge",
    "bridge.requests.limited.total": "Requests refused because their address sent too many",
    "bridge.requests.oversize.total": "Requests refused for the length of their URL, their headers or a body",
    "bridge.requests.foreign.total": "Requests refused because of their Host, or because another site's page made them",
    "bridge.requests.unauthorized.total": "Requests refused for want of the token",
    "bridge.sessions": "Browsers logged in",
    "bridge.logins.total": "Logins",
    "bridge.logins.failed.total": "Wrong tokens shown",
    "bridge.logins.limited.total": "Tokens not looked at, because too many wrong ones came before",
    "bridge.events.total": "Events made for the stream",
    "bridge.sends.total": "Chunks handed to browsers",
    "bridge.accepted.total": "Messages taken from nodes",
    "bridge.malformed.total": "Messages of nodes that did not fit their schema",
    "bridge.missed.total": "Messages of nodes that were numbered and never came",
  }),
);

/** Of families whose members come and go. */
const HELP_BY_PREFIX: readonly (readonly [string, string])[] = [
  ["orders.refused.", "Decisions kept from the broker by this limit, bound or switch"],
  ["polls.asked.", "Looks at the published store by what asked for them"],
  ["ingest.backfill.", "Asking the venue for klines"],
  ["venue.", "The venue's orders and account"],
];

/** Prometheus's name, type and help of a dotted figure: counters end in _total, durations are in seconds. Null for a name that makes none. */
export function metricName(dotted: string): MetricName | null {
  if (!/^[A-Za-z][A-Za-z0-9]*(?:[._-][A-Za-z0-9]+)*$/.test(dotted)) return null;
  const isCounter = dotted.endsWith(".total") || COUNTERS.has(dotted);
  const isMs = /(?:\.ms|Ms)$/.test(dotted);
  const bare = dotted.replace(/\.total$/, "").replace(/(?:\.ms|Ms)$/, "");
  const snake = bare
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/[.-]/g, "_")
    .toLowerCase();
  const unit = isMs ? "_seconds" : "";
  const name = `fabric_${snake}${unit}${isCounter ? "_total" : ""}`;
  const help =
    HELP.get(dotted) ??
    HELP_BY_PREFIX.find(([prefix]) => dotted.startsWith(prefix))?.[1] ??
    `The node's figure ${dotted}`;
  return { name, type: isCounter ? "counter" : "gauge", help, factor: isMs ? 0.001 : 1 };
}
