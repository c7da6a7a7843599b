import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { platform } from "#platform";
import type { StoredCandle } from "../../src/core/candle.ts";
import type { CloseBatch } from "../../src/core/delivery.ts";
import { FabricError } from "../../src/core/errors.ts";
import { CommitPipeline, type CommitPipelineOptions, type PipelineState } from "../../src/store/commit-pipeline.ts";
import type { StoreWriter } from "../../src/store/contract.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, deliverAll, fill, keepingLog, openReader, openWriter } from "./support.ts";

type Fault = (call: "commit" | "seal") => string | null;

/** A real writer whose calls fail where `fault` says so, and which records the order of what happened. */
function troubled(writer: StoreWriter, fault: Fault, events: string[]): StoreWriter {
  const attempt = async <T>(call: "commit" | "seal", run: () => Promise<T>): Promise<T> => {
    const why = fault(call);
    if (why !== null) throw new FabricError("io", why);
    return run();
  };
  return {
    ...bound(writer),
    commit: (close: CloseBatch) =>
      attempt("commit", async () => {
        const rows = await writer.commit(close);
        events.push(`commit ${rows.map((row) => row.commitSeq).join(" ")}`);
        return rows;
      }),
    seal: () =>
      attempt("seal", async () => {
        await writer.seal();
        events.push(`seal ${writer.commitSeq}`);
      }),
  };
}

function bound(writer: StoreWriter): StoreWriter {
  return {
    storeId: writer.storeId,
    venue: writer.venue,
    environment: writer.environment,
    commitSeq: writer.commitSeq,
    closedThrough: writer.closedThrough,
    heads: writer.heads,
    bind: (environment) => writer.bind(environment),
    commit: (close) => writer.commit(close),
    revise: (candles) => writer.revise(candles),
    newest: (limit) => writer.newest(limit),
    seal: () => writer.seal(),
    compact: () => writer.compact(),
    heal: () => writer.heal(),
    counters: () => writer.counters(),
    close: () => writer.close(),
  };
}

function pipelineOn(
  writer: StoreWriter,
  options: Partial<CommitPipelineOptions> = {},
  log = keepingLog(),
): CommitPipeline {
  return new CommitPipeline(
    { writer, onCommitted: () => undefined, ...options },
    { timers: platform.timers, clock: platform.clock, log },
  );
}

test("Invariant 2 (durable before visible): each close is committed, then published, then sealed, first in first out", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const events: string[] = [];
  const publish = (rows: readonly StoredCandle[]) => {
    // What is published is durable: the writer's own number has moved on.
    expect(writer.commitSeq).toBeGreaterThanOrEqual(rows.at(-1)?.commitSeq ?? 0);
    events.push(`publish ${rows.map((row) => row.commitSeq).join(" ")}`);
  };
  const pipeline = pipelineOn(
    troubled(writer, () => null, events),
    { onCommitted: publish },
  );
  for (let minute = 0; minute < 3; minute++) {
    expect(pipeline.offer(batch([candle("A", minute)]))).toBe("accepted");
    await pipeline.drain();
  }
  expect(events).toEqual([1, 2, 3].flatMap((seq) => [`commit ${seq}`, `publish ${seq}`, `seal ${seq}`]));
  await pipeline.close();
  expect(pipeline.offer(batch([candle("A", 9)]))).toBe("closed");
  await writer.close();
});

test("With a backlog every close keeps its own commit, in order, and seals cover several", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const events: string[] = [];
  const pipeline = pipelineOn(troubled(writer, () => null, events));
  for (let minute = 0; minute < 30; minute++) pipeline.offer(batch([candle("A", minute)]));
  await pipeline.drain();
  expect(events.filter((event) => event.startsWith("commit"))).toEqual(
    Array.from({ length: 30 }, (_, index) => `commit ${index + 1}`),
  );
  expect(events.filter((event) => event.startsWith("seal")).length).toBeLessThan(8);
  expect(events.at(-1)).toBe("seal 30");
  await pipeline.close();
  await writer.close();
});

test("Invariant 2 (durable before visible): while the oldest cannot commit nothing newer is committed or published", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const events: string[] = [];
  const states: PipelineState[] = [];
  let isFull = true;
  const pipeline = pipelineOn(
    troubled(writer, (call) => (isFull && call === "commit" ? "no space" : null), events),
    {
      maxWaitingRows: 3,
      onCommitted: (rows) => events.push(`publish ${rows[0]?.openTime}`),
      onStateChange: (state) => states.push(state),
    },
  );
  const offers = [0, 1, 2, 3, 4].map((minute) => pipeline.offer(batch([candle("A", minute)])));
  expect(offers).toEqual(["accepted", "accepted", "accepted", "full", "full"]);
  await eventually(() => pipeline.counters().failedCommits >= 2);
  expect(events).toEqual([]);
  expect(pipeline.state).toMatchObject({ kind: "stalled", reason: "no space" });
  expect(pipeline.counters()).toMatchObject({ waitingBatches: 3, waitingRows: 3, refused: 2, committedBatches: 0 });
  isFull = false;
  await pipeline.drain();
  expect(events.filter((event) => event.startsWith("commit"))).toEqual(["commit 1", "commit 2", "commit 3"]);
  expect(states.map((state) => state.kind)).toEqual(["stalled", "writable"]);
  expect(pipeline.offer(batch([candle("A", 3)]))).toBe("accepted");
  await pipeline.close();
  await writer.close();
});

test("A seal that fails holds up neither commits nor publishing, and is made up for", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const events: string[] = [];
  let isFull = true;
  const pipeline = pipelineOn(troubled(writer, (call) => (isFull && call === "seal" ? "no space" : null), events));
  for (let minute = 0; minute < 20; minute++) pipeline.offer(batch([candle("A", minute)]));
  await eventually(() => pipeline.counters().committedBatches === 20);
  expect(pipeline.state.kind).toBe("writable");
  expect(pipeline.counters().failedSeals).toBeGreaterThan(0);
  isFull = false;
  await pipeline.drain();
  const reader = openReader(folder.path);
  expect((await deliverAll(reader)).length).toBe(20);
  await reader.close();
  await pipeline.close();
  await writer.close();
});

test("What waits to be committed is committed, and said to be, while nothing can be sealed", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const pipeline = pipelineOn(troubled(writer, (call) => (call === "seal" ? "read-only" : null), []));
  await pipeline.committed();
  for (let minute = 0; minute < 3; minute++) pipeline.offer(batch([candle("BTCUSDT", minute)]));
  await pipeline.committed();
  expect(writer.commitSeq).toBe(3);
  await eventually(() => pipeline.sealFailure === "read-only");
  await pipeline.close();
  await writer.close();
});

test("A seal that goes on failing is told once for each reason, whatever file it names, and as `sealFailure` until it works", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const log = keepingLog();
  let [attempt, reason] = [0, "no space"];
  const fault: Fault = (call) =>
    call === "seal" && reason !== "" ? `${reason} for candle-00000000000${attempt++}-7f3b0c1${attempt}.parquet` : null;
  const pipeline = pipelineOn(troubled(writer, fault, []), {}, log);
  expect(pipeline.sealFailure).toBeNull();
  pipeline.offer(batch([candle("A", 0)]));
  await eventually(() => pipeline.counters().failedSeals >= 3);
  expect(pipeline.sealFailure).toStartWith("no space for candle-");
  reason = "no such folder";
  const soFar = pipeline.counters().failedSeals;
  await eventually(() => pipeline.counters().failedSeals >= soFar + 2);
  expect(log.lines.filter((line) => line.startsWith("warn: Cannot publish segments now")).length).toBe(2);
  reason = "";
  await pipeline.drain();
  expect(pipeline.sealFailure).toBeNull();
  expect(log.lines.at(-1)).toBe("info: Segments can be published again");
  await pipeline.close();
  await writer.close();
});

test("A published folder that vanishes under a running pipeline is made again, with every row in it", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A", "B"], 0, 9);
  const pipeline = pipelineOn(writer);
  rmSync(`${folder.path}/published`, { recursive: true });
  pipeline.offer(batch([candle("A", 10)]));
  await pipeline.drain();
  expect(pipeline.sealFailure).toBeNull();
  const reader = openReader(folder.path);
  expect((await deliverAll(reader)).map((row) => row.commitSeq)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
  await reader.close();
  await pipeline.close();
  await writer.close();
});

test("Closing a stalled pipeline ends, and gives back what is not in the store", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const pipeline = pipelineOn(troubled(writer, (call) => (call === "commit" ? "no space" : null), []));
  const closes = [0, 1].map((minute) => batch([candle("A", minute)]));
  for (const close of closes) pipeline.offer(close);
  await eventually(() => pipeline.state.kind === "stalled");
  expect(await pipeline.close()).toEqual(closes);
  expect(await pipeline.close()).toEqual(closes);
  await writer.close();
});

test("A publisher that throws is logged and stops nothing", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const pipeline = pipelineOn(writer, {
    onCommitted: () => {
      throw new Error("socket gone");
    },
  });
  pipeline.offer(batch([candle("A", 0)]));
  pipeline.offer(batch([candle("A", 1)]));
  await pipeline.drain();
  expect(writer.commitSeq).toBe(2);
  await pipeline.close();
  await writer.close();
});

test("Small segments are merged when the pipeline is idle", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path, { tuning: { mergeWidth: 4 } });
  const pipeline = pipelineOn(writer);
  for (let minute = 0; minute < 9; minute++) {
    pipeline.offer(batch([candle("A", minute)]));
    await pipeline.drain();
  }
  await eventually(() => writer.counters().compactions >= 2);
  await pipeline.close();
  await writer.close();
});

test("Invariant 8 (bounded): small segments are merged where the pipeline never comes to rest, too", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const pipeline = pipelineOn(writer);
  for (let minute = 0; minute < 300; minute++) {
    pipeline.offer(batch([candle("A", minute)]));
    await eventually(() => pipeline.counters().committedBatches > minute);
    if (minute % 20 === 19) await pipeline.drain();
  }
  expect(writer.counters().compactions).toBeGreaterThan(0);
  await pipeline.close();
  await writer.close();
}, 30_000);
