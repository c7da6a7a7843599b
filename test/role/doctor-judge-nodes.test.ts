import { expect, test } from "bun:test";
import type { Evidence } from "../../src/role/doctor/evidence.ts";
import { judge, LEAST_FREE_BYTES } from "../../src/role/doctor/judge.ts";
import {
  at,
  type Case,
  deaf,
  many,
  marketData,
  measuring,
  rail,
  runner,
  saying,
  silent,
  sound,
  testCases,
  unanswered,
} from "./doctor-evidence.ts";

test("A sound fabric has only findings that are well, none with a remedy, one at least of every kind", () => {
  const findings = judge(sound());
  expect(findings.filter((finding) => !finding.ok)).toEqual([]);
  expect(new Set(findings.map((finding) => finding.check))).toEqual(
    new Set(
      "libzmq duckdb data-folder disk nodes store-holder endpoint ipc-path state rails drops version receiving clock venue manifest data-age gaps".split(
        " ",
      ),
    ),
  );
});

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
  {
    what: "a runner under the kill switch",
    change: (e) => ({
      ...e,
      nodes: [
        marketData(),
        saying(runner(), { state: "halted", reason: "halted: odd fills; orders that are open stay open" }),
      ],
    }),
    wrong: ["state"],
    says: /is halted: halted: odd fills.*fabric resume sma-cross \(or --all\)/,
  },
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
    "missed.total",
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
    says: /none, as 2 nodes told/,
  },
  {
    what: "a node whose clock was made wrong on purpose",
    change: (e) => ({ ...e, nodes: [marketData(), saying(runner(), { details: { clockSkewMs: -3000 } })] }),
    wrong: ["clock-skew"],
    says: /sma-cross runs with a wall clock that was made wrong, by -3000 ms now.*FABRIC_CLOCK_SKEW_MS/s,
  },
  {
    what: "a node of another version",
    change: (e) => ({ ...e, nodes: [marketData(), { ...runner(), version: "0.0.9" }] }),
    wrong: ["version"],
    says: /sma-cross runs 0.0.9, and this is 0.1.0/,
  },
];

testCases("The judge of folder and nodes finds", CASES);
