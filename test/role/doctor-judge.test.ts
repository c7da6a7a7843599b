import { describe, expect, test } from "bun:test";
import type { HealthBody, HeartbeatBody, MetricsBody, RailState } from "../../src/core/wire.ts";
import type { Evidence, NodeEvidence } from "../../src/role/doctor/evidence.ts";
import type { Finding } from "../../src/role/doctor/finding.ts";
import { judge, LEAST_FREE_BYTES } from "../../src/role/doctor/judge.ts";
import { MOST_LATE_MS, MOST_SKEW_MS, RECENT_GAP_MS } from "../../src/role/doctor/judge-market.ts";

const MINUTE = 60_000;
const CLOSED = 1_735_690_200_000;
const SPEED = 60;
/** The newest minute is CLOSED: at this moment of exchange time the next one ends. */
const EXCHANGE_TIME = CLOSED + 2 * MINUTE;

test("A sound fabric has only findings that are well, none with a remedy, one at least of every kind", () => {
  const findings = judge(sound());
  expect(findings.filter((finding) => !finding.ok)).toEqual([]);
  expect(new Set(findings.map((finding) => finding.check))).toEqual(
    new Set(
      "libzmq duckdb data-folder disk nodes store-holder endpoint ipc-path state rails drops version receiving clock manifest data-age gaps".split(
        " ",
      ),
    ),
  );
});

interface Case {
  readonly what: string;
  readonly change: (evidence: Evidence) => Evidence;
  /** The checks that go wrong, in order; none: it stays well. */
  readonly wrong: readonly string[];
  /** Found in some finding of the last named check (the one that is well where none is wrong). */
  readonly says: RegExp;
  readonly about?: string;
}

const CASES: readonly Case[] = [
  {
    what: "no data folder: the rest is not looked for",
    change: (e) => ({ ...e, folder: { ...e.folder, exists: false }, nodes: [], manifest: { kind: "none" } }),
    wrong: ["data-folder"],
    says: /no data folder \/data .*fabric up --data \/data/,
  },
  {
    what: "a folder that cannot be written",
    change: (e) => ({ ...e, folder: { ...e.folder, writeProblem: "EACCES" } }),
    wrong: ["data-folder"],
    says: /cannot be written: EACCES/,
  },
  {
    what: "space just below the least",
    change: (e) => ({ ...e, folder: { ...e.folder, freeBytes: LEAST_FREE_BYTES - 1 } }),
    wrong: ["disk"],
    says: /only 1.00 GiB are free/,
  },
  {
    what: "space just at the least",
    change: (e) => ({ ...e, folder: { ...e.folder, freeBytes: LEAST_FREE_BYTES } }),
    wrong: [],
    about: "disk",
    says: /1.0 GiB are free/,
  },
  {
    what: "a file system that does not tell its space",
    change: (e) => ({ ...e, folder: { ...e.folder, freeBytes: null } }),
    wrong: [],
    about: "disk",
    says: /does not tell/,
  },
  {
    what: "DuckDB that does not load",
    change: (e) => ({ ...e, duckdb: { problem: "no such file" } }),
    wrong: ["duckdb"],
    says: /cannot be loaded: no such file .*cache folder/,
  },
  {
    what: "libzmq that does not load: nobody is blamed for what we could not hear",
    change: (e) => ({ ...deaf(e), libzmq: { problem: "GLIBC_2.25 not found" } }),
    wrong: ["libzmq"],
    says: /GLIBC_2.25/,
  },
  {
    what: "no node at all",
    change: (e) => ({ ...deaf(e), nodes: [], storeLocked: false }),
    wrong: ["nodes", "store-holder"],
    says: /nobody holds the store/,
  },
  {
    what: "an advertisement without a lock beside live nodes",
    change: (e) => ({
      ...e,
      nodes: [...e.nodes, { ...runner(), node: "ghost", alive: false, file: "/data/run/ghost.json" }],
    }),
    wrong: ["left-over"],
    says: /ghost \(runner\) is advertised as process 22 .*remove \/data\/run\/ghost.json/,
  },
  {
    what: "market-data dead with its advertisement left over",
    change: (e) => {
      const heard = deaf(e);
      return { ...heard, storeLocked: false, nodes: [{ ...marketData(), alive: false, health: null }, runner()] };
    },
    wrong: ["store-holder", "left-over"],
    says: /market-data is advertised|market-data \(market-data\) is advertised/,
  },
  {
    what: "market-data's name held without an advertisement",
    change: (e) => ({ ...deaf(e), nodes: [runner()] }),
    wrong: ["store-holder"],
    says: /advertises nothing: it is starting/,
  },
  {
    what: "a node that nobody reaches",
    change: (e) => ({ ...e, nodes: [marketData(), { ...silent(runner()), endpoints: unanswered(runner()) }] }),
    wrong: ["endpoint"],
    says: /sma-cross says that it is at ipc:\/\/\/data\/run\/sma-cross.ipc, where nobody answered for 2.5 s .*kill -CONT 22/,
  },
  {
    what: "a node that answers and says nothing",
    change: (e) => ({ ...e, nodes: [marketData(), silent(runner())] }),
    wrong: ["endpoint"],
    says: /sma-cross answers .* said nothing for 2.5 s/,
  },
  {
    what: "a node that speaks on its socket while its other port is not bound",
    change: (e) => {
      const ear = marketData();
      return {
        ...e,
        nodes: [
          { ...ear, endpoints: [...ear.endpoints, { address: "tcp://0.0.0.0:7001", answered: false }] },
          runner(),
        ],
      };
    },
    wrong: ["endpoint"],
    says: /at tcp:\/\/0.0.0.0:7001, where nobody answered/,
  },
  {
    what: "a node without an endpoint",
    change: (e) => ({ ...e, nodes: [marketData(), { ...silent(runner()), endpoints: [] }] }),
    wrong: ["endpoint"],
    says: /advertises no endpoint/,
  },
  {
    what: "sockets outside a folder whose path is too long",
    change: (e) => ({ ...e, nodes: e.nodes.map((node) => at(node, `ipc:///run/user/1/fabric-0/${node.node}.ipc`)) }),
    wrong: [],
    about: "ipc-path",
    says: /too long for sockets, which are elsewhere: ipc:\/\/\/run\/user\/1/,
  },
  {
    what: "a node whose socket is where this environment does not look",
    change: (e) => ({
      ...e,
      nodes: [marketData(), { ...runner(), expectedEndpoint: "ipc:///run/user/2/fabric-0/sma-cross.ipc" }],
    }),
    wrong: ["ipc-path"],
    says: /not at ipc:\/\/\/run\/user\/2.* but at ipc:\/\/\/data\/run.*XDG_RUNTIME_DIR/,
  },
  ...(["degraded", "failed", "halted"] as const).map((state) => ({
    what: `a runner that is ${state}`,
    change: (e: Evidence) => ({ ...e, nodes: [marketData(), saying(runner(), { state, reason: "the disk is full" })] }),
    wrong: ["state"],
    says: new RegExp(`sma-cross \\(runner\\) is ${state}: the disk is full`),
  })),
  ...(["starting", "stopping"] as const).map((state) => ({
    what: `a runner that is ${state}`,
    change: (e: Evidence) => ({ ...e, nodes: [marketData(), saying(runner(), { state, reason: "wait" })] }),
    wrong: [],
    about: "state",
    says: /no node/,
  })),
  {
    what: "a rail on the store",
    change: (e) => ({
      ...e,
      nodes: [marketData(), measuring(runner(), {}, [rail("ETHUSDT", "FALLBACK"), rail("BTCUSDT", "FAST")])],
    }),
    wrong: ["rails"],
    says: /sma-cross ETHUSDT is FALLBACK: because .*nothing is lost/,
  },
  {
    what: "a stale rail",
    change: (e) => ({ ...e, nodes: [marketData(), measuring(runner(), {}, [rail("ETHUSDT", "STALE")])] }),
    wrong: ["rails"],
    says: /ETHUSDT is STALE.*either rail/,
  },
  {
    what: "twenty-five stale rails: twenty are told, the rest counted",
    change: (e) => ({ ...e, nodes: [marketData(), measuring(runner(), {}, many(25))] }),
    wrong: Array.from({ length: 21 }, () => "rails"),
    says: /5 more rails that are not FAST: 5 of them with a problem/,
  },
  ...[
    "inbox.dropped.total",
    "malformed.total",
    "socket.oversize.total",
    "ingest.overflows.total",
    "scan.overflow.total",
  ].map((name) => ({
    what: `a counter ${name} above zero`,
    change: (e: Evidence) => ({ ...e, nodes: [marketData(), measuring(runner(), { [name]: 3 })] }),
    wrong: ["drops"],
    says: new RegExp(`sma-cross in 12s: ${name} 3`),
  })),
  {
    what: "counters that tell of no drops",
    change: (e) => ({
      ...e,
      nodes: [marketData(), measuring(runner(), { "polls.total": 9, "orders.lost.total": 0, "x.dropped.total": 0 })],
    }),
    wrong: [],
    about: "drops",
    says: /none, as 2 nodes count/,
  },
  {
    what: "a node of another version",
    change: (e) => ({ ...e, nodes: [marketData(), { ...runner(), version: "0.0.9" }] }),
    wrong: ["version"],
    says: /sma-cross runs 0.0.9, and this is 0.1.0/,
  },
  {
    what: "no heartbeat and no candle",
    change: (e) => ({
      ...e,
      market: { ...e.market, heartbeats: 0, heartbeat: null, candles: 0, committed: 0, skewMs: null },
    }),
    wrong: ["receiving", "clock", "data-age"],
    says: /cannot be told: no heartbeat was heard/,
  },
  {
    what: "candles without heartbeats",
    change: (e) => ({ ...e, market: { ...e.market, heartbeats: 0 } }),
    wrong: ["receiving"],
    says: /0 heartbeats and 6 candles heard in 2.5 s: its heartbeat is missing/,
  },
  {
    what: "candles that were committed and not heard",
    change: (e) => ({ ...e, market: { ...e.market, missed: 1 } }),
    wrong: ["receiving"],
    says: /1 of the 4 candles committed meanwhile did not come/,
  },
  {
    what: "a quiet market: heartbeats alone",
    change: (e) => ({ ...e, market: { ...e.market, candles: 0, committed: 0 } }),
    wrong: [],
    about: "receiving",
    says: /2 heartbeats and 0 candles/,
  },
  ...[MOST_SKEW_MS + 1, -MOST_SKEW_MS - 1].map((skewMs) => ({
    what: `a clock apart by ${skewMs} ms`,
    change: (e: Evidence) => ({ ...e, market: { ...e.market, skewMs } }),
    wrong: ["clock"],
    says: skewMs > 0 ? /1001 ms behind ours/ : /1001 ms ahead of ours/,
  })),
  {
    what: "a clock apart by the most that is let pass",
    change: (e) => ({ ...e, market: { ...e.market, skewMs: -MOST_SKEW_MS } }),
    wrong: [],
    about: "clock",
    says: /1000 ms ahead/,
  },
  {
    what: "no manifest beside a live writer",
    change: (e) => ({ ...e, manifest: { kind: "none" } }),
    wrong: ["manifest"],
    says: /nothing is published.*look again/,
  },
  {
    what: "a manifest that cannot be read",
    change: (e) => ({ ...e, manifest: { kind: "unreadable", problem: "its checksum does not fit" } }),
    wrong: ["manifest"],
    says: /checksum does not fit.*rebuilds/,
  },
  {
    what: "a manifest of another store than the one published",
    change: (e) => ({ ...e, market: { ...e.market, heartbeat: { ...heartbeat(), storeId: "other" } } }),
    wrong: ["manifest"],
    says: /of store s, and market-data publishes store other/,
  },
  {
    what: "a manifest behind the heartbeat's rows",
    change: (e) => ({ ...e, market: { ...e.market, heartbeat: { ...heartbeat(), commitSeq: 107 } } }),
    wrong: ["manifest"],
    says: /7 rows behind/,
  },
  {
    what: "a manifest behind the heartbeat's closed minutes",
    change: (e) => ({ ...e, market: { ...e.market, heartbeat: { ...heartbeat(), closedThrough: CLOSED + MINUTE } } }),
    wrong: ["manifest"],
    says: /0 rows behind .*behind its closed minutes/,
  },
  {
    what: "a manifest ahead of the heartbeat, which is older",
    change: (e) => ({ ...e, market: { ...e.market, heartbeat: { ...heartbeat(), commitSeq: 90 } } }),
    wrong: [],
    about: "manifest",
    says: /level with/,
  },
  {
    what: "a store without a candle",
    change: (e) => withHeads(e, []),
    wrong: ["data-age"],
    says: /no candle yet/,
  },
  {
    what: "a venue that has told no time",
    change: (e) => ({ ...e, market: { ...e.market, heartbeat: { ...heartbeat(), exchangeTime: null } } }),
    wrong: ["data-age"],
    says: /not heard the venue's time/,
  },
  {
    what: "a symbol as late as is let pass, at the market's speed",
    change: (e) => atExchangeTime(e, EXCHANGE_TIME + MOST_LATE_MS * SPEED),
    wrong: [],
    about: "data-age",
    says: /due since 10s/,
  },
  {
    what: "a symbol later than that",
    change: (e) => atExchangeTime(e, EXCHANGE_TIME + (MOST_LATE_MS + 1000) * SPEED),
    wrong: ["data-age", "data-age"],
    says: /BTCUSDT: newest minute 2025-01-01T00:10:00Z, the next is late by 11s/,
  },
  {
    what: "a symbol that market-data follows no more",
    change: (e) => withHeads(e, ["BTCUSDT", "ETHUSDT", "OLDUSDT"], { OLDUSDT: CLOSED - 9999 * MINUTE }),
    wrong: [],
    about: "data-age",
    says: /OLDUSDT.*follows 2 of the store's 3 symbols/,
  },
  {
    what: "one late symbol among thirty is told, not counted away",
    change: (e) => withHeads(e, thirty(), { S17: CLOSED - 60 * MINUTE }, 30),
    wrong: ["data-age"],
    says: /S17: .*late by/,
  },
  {
    what: "a gap of late",
    change: (e) => withGap(e, EXCHANGE_TIME - RECENT_GAP_MS + 1),
    wrong: ["gaps"],
    says: /3 gaps in the store, the newest BTCUSDT .* \(no klines\)/,
  },
  {
    what: "a gap of long ago",
    change: (e) => withGap(e, EXCHANGE_TIME - RECENT_GAP_MS),
    wrong: [],
    about: "gaps",
    says: /3 gaps in the store/,
  },
  {
    what: "gaps that cannot be read",
    change: (e) => ({ ...e, gaps: { kind: "unread", problem: "a listed file is missing" } }),
    wrong: ["gaps"],
    says: /listed file is missing/,
  },
];

describe("The judge finds", () => {
  for (const { what, change, wrong, says, about } of CASES) {
    test(what, () => {
      const findings = judge(change(sound()));
      const problems = findings.filter((finding) => !finding.ok);
      expect(problems.map((finding) => finding.check)).toEqual([...wrong]);
      const check = about ?? wrong.at(-1);
      const told = findings
        .filter((finding) => finding.check === check)
        .map((each) => `${each.finding} ${each.remedy}`);
      expect(told.join("\n")).toMatch(says);
      expect(findings.filter(isUneven)).toEqual([]);
    });
  }
});

/** A remedy stands where something is wrong, and only there. */
function isUneven({ ok, finding, remedy }: Finding): boolean {
  return finding === "" || ok !== (remedy === "");
}

function sound(): Evidence {
  return {
    version: "0.1.0",
    folder: { path: "/data", exists: true, writeProblem: null, freeBytes: 50 * LEAST_FREE_BYTES },
    libzmq: { version: "4.3.5" },
    duckdb: { version: "1.5.6" },
    nodes: [marketData(), runner()],
    storeLocked: true,
    manifest: {
      kind: "read",
      format: 1,
      view: {
        storeId: "s",
        venue: "binance-spot",
        environment: "sim",
        throughSeq: 100,
        closedThrough: CLOSED,
        heads: headsAt(["BTCUSDT", "ETHUSDT"], {}),
      },
    },
    gaps: { kind: "read", count: 0, newest: null },
    market: { listenedMs: 2500, heartbeats: 2, heartbeat: heartbeat(), candles: 6, committed: 4, missed: 0, skewMs: 2 },
  };
}

function marketData(): NodeEvidence {
  return node("market-data", "market-data", 11, []);
}

function runner(): NodeEvidence {
  return node("sma-cross", "runner", 22, [rail("BTCUSDT", "FAST"), rail("ETHUSDT", "FAST")]);
}

function node(name: string, role: "market-data" | "runner", pid: number, rails: readonly RailState[]): NodeEvidence {
  const envelope = { v: 1, node: name, epoch: "e", seq: 1, sentAt: 1 };
  const address = `ipc:///data/run/${name}.ipc`;
  const health: HealthBody = {
    ...envelope,
    role,
    pid,
    version: "0.1.0",
    uptimeMs: 12_000,
    state: "running",
    reason: null,
    dataAgeMs: 5,
    mode: null,
    details: { symbols: 2 },
  };
  return {
    node: name,
    role,
    pid,
    version: "0.1.0",
    file: `/data/run/${name}.json`,
    alive: true,
    endpoints: [{ address, answered: true }],
    expectedEndpoint: address,
    health: { body: health, ageMs: 300 },
    metrics: { ...envelope, role, values: { "socket.dropped.total": 0 }, rails },
  };
}

function heartbeat(): HeartbeatBody {
  const envelope = { v: 1, node: "market-data", epoch: "e", seq: 1, sentAt: 1 };
  const exchangeTime = EXCHANGE_TIME;
  return { ...envelope, storeId: "s", commitSeq: 100, closedThrough: CLOSED, exchangeTime, speed: SPEED };
}

function rail(symbol: string, kind: RailState["rail"]): RailState {
  return { symbol, rail: kind, reason: "because", ageMs: 5, lastOpenTime: CLOSED, delivered: 1, digest: "0" };
}

function many(count: number): readonly RailState[] {
  return Array.from({ length: count }, (_, at) => rail(`S${at}`, "STALE"));
}

function thirty(): readonly string[] {
  return Array.from({ length: 30 }, (_, at) => `S${at}`);
}

function silent(from: NodeEvidence): NodeEvidence {
  return { ...from, health: null, metrics: null };
}

function unanswered(from: NodeEvidence): NodeEvidence["endpoints"] {
  return from.endpoints.map((endpoint) => ({ ...endpoint, answered: false }));
}

/** What is left where nothing could be heard. */
function deaf(evidence: Evidence): Evidence {
  const market = { listenedMs: 0, heartbeats: 0, heartbeat: null, candles: 0, committed: 0, missed: 0, skewMs: null };
  return { ...evidence, nodes: evidence.nodes.map(silent), market };
}

function at(from: NodeEvidence, address: string): NodeEvidence {
  return { ...from, endpoints: [{ address, answered: true }], expectedEndpoint: address };
}

function saying(from: NodeEvidence, change: Pick<HealthBody, "state" | "reason">): NodeEvidence {
  return from.health ? { ...from, health: { ...from.health, body: { ...from.health.body, ...change } } } : from;
}

function measuring(from: NodeEvidence, values: MetricsBody["values"], rails?: readonly RailState[]): NodeEvidence {
  if (!from.metrics) return from;
  return { ...from, metrics: { ...from.metrics, values, rails: rails ?? from.metrics.rails } };
}

function atExchangeTime(evidence: Evidence, exchangeTime: number): Evidence {
  return { ...evidence, market: { ...evidence.market, heartbeat: { ...heartbeat(), exchangeTime } } };
}

function withGap(evidence: Evidence, toOpenTime: number): Evidence {
  const newest = { symbol: "BTCUSDT", fromOpenTime: toOpenTime, toOpenTime, reason: "no klines" };
  return { ...evidence, gaps: { kind: "read", count: 3, newest } };
}

function withHeads(
  evidence: Evidence,
  symbols: readonly string[],
  times: Readonly<Record<string, number>> = {},
  followed = 2,
): Evidence {
  if (evidence.manifest.kind !== "read") return evidence;
  const view = { ...evidence.manifest.view, heads: headsAt(symbols, times) };
  const nodes = evidence.nodes.map((each) =>
    each.health
      ? { ...each, health: { ...each.health, body: { ...each.health.body, details: { symbols: followed } } } }
      : each,
  );
  return { ...evidence, nodes, manifest: { ...evidence.manifest, view } };
}

function headsAt(symbols: readonly string[], times: Readonly<Record<string, number>>) {
  return new Map(
    symbols.map((symbol) => {
      const lastOpenTime = times[symbol] ?? CLOSED;
      return [symbol, { lastOpenTime, lastCommitSeq: 1, lastClose: 1, lastTradeId: null }] as const;
    }),
  );
}
