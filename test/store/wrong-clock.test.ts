import { expect, test } from "bun:test";
import { platform } from "#platform";
import type { Files } from "../../src/core/env.ts";
import { SCHEMA_VERSION } from "../../src/store/contract.ts";
import { encodeManifest, type Manifest } from "../../src/store/manifest.ts";
import { ManifestReader } from "../../src/store/manifest-reader.ts";
import { openStoreReader } from "../../src/store/reader.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { deliverAll, fill, openWriter, storeDeps } from "./support.ts";

const HOUR_MS = 3_600_000;

function manifest(throughSeq: number): string {
  const empty: Manifest = {
    format: SCHEMA_VERSION,
    storeId: "s",
    venue: "v",
    environment: null,
    throughSeq,
    closedThrough: null,
    cleanStop: false,
    heads: [],
    segments: [],
  };
  return encodeManifest(empty);
}

for (const skewMs of [-HOUR_MS, 0, HOUR_MS]) {
  test(`With a wall clock that is ${skewMs} ms wrong, a manifest replaced within one time stamp is seen, and one that stands is read no more`, () => {
    let text = manifest(1);
    let reads = 0;
    let nowMs = 0;
    const files: Files = {
      ...platform.files,
      stat: () => ({ sizeBytes: text.length, modifiedMs: 5_000, isDirectory: false }),
      readText: () => {
        reads++;
        return text;
      },
    };
    const clock = { nowMs: () => 5_010 + nowMs + skewMs, monotonicMs: () => nowMs };
    const reader = new ManifestReader("manifest.json", files, clock);
    expect(reader.read()?.throughSeq).toBe(1);
    text = manifest(2);
    nowMs = 5;
    expect(reader.read()?.throughSeq).toBe(2);
    nowMs = 200;
    expect(reader.read()?.throughSeq).toBe(2);
    reads = 0;
    for (let look = 0; look < 10; look++) reader.read();
    expect(reads).toBe(0);
  });
}

test("With a wall clock an hour behind the disk's, a reader hashes each segment twice and no more", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 9);
  await writer.close();
  let hashes = 0;
  let laterMs = 0;
  const files: Files = {
    ...platform.files,
    sha256(path) {
      hashes++;
      return platform.files.sha256(path);
    },
  };
  const clock = { nowMs: () => Date.now() - HOUR_MS, monotonicMs: () => platform.clock.monotonicMs() + laterMs };
  const reader = openStoreReader({ folder: folder.path }, { ...storeDeps(), files, clock });
  for (let read = 0; read < 5; read++) {
    expect((await deliverAll(reader)).length).toBe(10);
    laterMs += 200;
    if (read === 1) hashes = 0;
  }
  expect(hashes).toBe(0);
  await reader.close();
});
