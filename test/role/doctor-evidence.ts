import { describe, expect, test } from "bun:test";
import type { HealthBody, HeartbeatBody, MetricsBody, RailState } from "../../src/core/wire.ts";
import type { Evidence, NodeEvidence } from "../../src/role/doctor/evidence.ts";
import type { Finding } from "../../src/role/doctor/finding.ts";
import { judge, LEAST_FREE_BYTES } from "../../src/role/doctor/judge.ts";

export const MINUTE = 60_000;
export const CLOSED = 1_735_690_200_000;
export const SPEED = 60;
/** The newest minute is CLOSED: at this moment of exchange time the next one ends. */
export const EXCHANGE_TIME = CLOSED + 2 * MINUTE;

export interface Case {
  readonly what: string;
  readonly change: (evidence: Evidence) => Evidence;
  /** The checks that go wrong, in order; none: it stays well. */
  readonly wrong: readonly string[];
  /** Found in some finding of the last named check (the one that is well where none is wrong). */
  readonly says: RegExp;
  readonly about?: string;
}

/** One test a case: exactly the named checks go wrong, it is said why, and a remedy stands where something is wrong, only there. */
export function testCases(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const { what, change, wrong, says, about } of cases) {
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
}

export function sound(): Evidence {
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

export function marketData(): NodeEvidence {
  return node("market-data", "market-data", 11, []);
}

export function runner(): NodeEvidence {
  return node("sma-cross", "runner", 22, [rail("BTCUSDT", "FAST"), rail("ETHUSDT", "FAST")]);
}

export function node(
  name: string,
  role: "market-data" | "runner",
  pid: number,
  rails: readonly RailState[],
): NodeEvidence {
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
    details: { symbols: 2, feed: "sim" },
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

export function heartbeat(): HeartbeatBody {
  const envelope = { v: 1, node: "market-data", epoch: "e", seq: 1, sentAt: 1 };
  const exchangeTime = EXCHANGE_TIME;
  return { ...envelope, storeId: "s", commitSeq: 100, closedThrough: CLOSED, exchangeTime, speed: SPEED };
}

export function rail(symbol: string, kind: RailState["rail"]): RailState {
  return { symbol, rail: kind, reason: "because", ageMs: 5, lastOpenTime: CLOSED, delivered: 1, digest: "0" };
}

export function many(count: number): readonly RailState[] {
  return Array.from({ length: count }, (_, at) => rail(`S${at}`, "STALE"));
}

export function thirty(): readonly string[] {
  return Array.from({ length: 30 }, (_, at) => `S${at}`);
}

export function silent(from: NodeEvidence): NodeEvidence {
  return { ...from, health: null, metrics: null };
}

export function unanswered(from: NodeEvidence): NodeEvidence["endpoints"] {
  return from.endpoints.map((endpoint) => ({ ...endpoint, answered: false }));
}

/** What is left where nothing could be heard. */
export function deaf(evidence: Evidence): Evidence {
  const market = { listenedMs: 0, heartbeats: 0, heartbeat: null, candles: 0, committed: 0, missed: 0, skewMs: null };
  return { ...evidence, nodes: evidence.nodes.map(silent), market };
}

export function at(from: NodeEvidence, address: string): NodeEvidence {
  return { ...from, endpoints: [{ address, answered: true }], expectedEndpoint: address };
}

export function saying(from: NodeEvidence, change: Partial<HealthBody>): NodeEvidence {
  return from.health ? { ...from, health: { ...from.health, body: { ...from.health.body, ...change } } } : from;
}

export function measuring(
  from: NodeEvidence,
  values: MetricsBody["values"],
  rails?: readonly RailState[],
): NodeEvidence {
  if (!from.metrics) return from;
  return { ...from, metrics: { ...from.metrics, values, rails: rails ?? from.metrics.rails } };
}

export function atExchangeTime(evidence: Evidence, exchangeTime: number): Evidence {
  return { ...evidence, market: { ...evidence.market, heartbeat: { ...heartbeat(), exchangeTime } } };
}

export function withGap(evidence: Evidence, toOpenTime: number): Evidence {
  const newest = { symbol: "BTCUSDT", fromOpenTime: toOpenTime, toOpenTime, reason: "no klines" };
  return { ...evidence, gaps: { kind: "read", count: 3, newest } };
}

export function withHeads(
  evidence: Evidence,
  symbols: readonly string[],
  times: Readonly<Record<string, number>> = {},
  followed = 2,
): Evidence {
  if (evidence.manifest.kind !== "read") return evidence;
  const view = { ...evidence.manifest.view, heads: headsAt(symbols, times) };
  const nodes = evidence.nodes.map((each) =>
    each.health
      ? {
          ...each,
          health: { ...each.health, body: { ...each.health.body, details: { symbols: followed, feed: "sim" } } },
        }
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

/** A remedy stands where something is wrong, and only there. */
function isUneven({ ok, finding, remedy }: Finding): boolean {
  return finding === "" || ok !== (remedy === "");
}
