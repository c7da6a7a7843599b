import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { gatherEvidence, type Remains } from "../../src/role/chaos/gather-evidence.ts";
import { SegmentEar } from "../../src/role/chaos/segment-ear.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { broken, sound } from "./judging.ts";

test("Whatever cannot be read at the end becomes a broken invariant, and the report comes all the same", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  for (const path of ["published/segments", "journal", "run"]) mkdirSync(`${data}/${path}`, { recursive: true });
  // Where the data folder's path is too long for a socket's.
  const sockets = folder.join("sockets");
  mkdirSync(sockets);
  writeFileSync(`${sockets}/saver.ipc`, "");
  writeFileSync(`${data}/published/manifest.json`, '{"sha256":"torn');
  writeFileSync(`${data}/journal/busy.sqlite`, "no database at all, but long enough to be looked at as one".repeat(40));
  writeFileSync(`${data}/sim-account.sqlite`, "");
  const server = createServer().listen(`${data}/run/busy.ipc`);
  await new Promise((resolve) => server.once("listening", resolve));
  const segments = new SegmentEar(data);
  const ports = { sim: 1, exchange: 2, market: 3, zmq: 4, bridge: 5 };
  const remains: Remains = {
    play: {
      facts: sound.play,
      outages: () => sound.outages,
      close: () => Promise.reject(new Error("a wire that cannot be closed")),
      ear: { candles: [], forgotten: 0 },
    },
    stage: { data, work: folder.join("work"), seed: 7, ports, strategies: new Map(), keys: "" },
    heard: { rails: [], caughtUp: sound.caughtUp, stops: sound.stops, wished: {}, positions: new Map() },
    grounds: { device: "fabric-chaos-none", sockets },
    segments,
    disk: { close: () => "no room for a copy" },
    begun: new Map(),
    verify: () => Promise.reject(new Error("verify could not be started")),
  };
  const found = broken(await gatherEvidence(remains));
  await segments.close();
  server.close();
  const told = new Map(found.map(({ id, detail }) => [id, detail]));
  for (const id of ["candles", "gaps", "commit-seq"]) expect(told.get(id)).toMatch(/the published store: .*manifest/);
  expect(told.get("store")).toMatch(/verify could not be started/);
  expect(told.get("segments-durable")).toMatch(/the last read failed: /);
  for (const id of ["digests", "orders-once", "fills-once", "decisions", "positions"])
    expect(told.get(id)).toMatch(/the journal of busy: .*the journal of saver: /);
  for (const id of ["venue-orders", "venue-holdings"])
    expect(told.get(id)).toMatch(/the journal of trader: .*the exchange's books: /);
  expect(told.get("nothing-left")).toMatch(/a wire that cannot be closed/);
  expect(told.get("nothing-left")).toMatch(/run\/busy\.ipc; .*sockets\/saver\.ipc; no room for a copy/);
});
