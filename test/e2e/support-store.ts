import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { fabric } from "../support/fabric.ts";

/** Ten minutes of 2024-08-09 in the public CSV's columns, a trade each second; prices rise, then fall. */
export function tradesCsv(minutes = 10): string {
  const lines: string[] = [];
  for (let second = 0; second <= minutes * 60; second++) {
    const price = 100 + Math.abs((second % 400) - 200) / 10;
    lines.push(`${second + 1},${price.toFixed(1)},0.5,${(price / 2).toFixed(2)},${1723161600000 + second * 1000},true`);
  }
  return `${lines.join("\n")}\n`;
}

/** A store of BTCUSDT made by a replay of `tradesCsv`; `folder` is its data folder. */
export async function makeStore(folder: string, minutes = 10): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "trades.csv");
  writeFileSync(file, tradesCsv(minutes));
  const done = await fabric([
    "market-data",
    "--feed",
    "replay",
    "--file",
    file,
    "--symbols",
    "BTCUSDT",
    "--data",
    folder,
  ]);
  if (done.code !== 0) throw new Error(`The replay that makes the test's store failed: ${done.err}`);
}

export function copyStore(from: string, to: string): string {
  cpSync(from, to, { recursive: true });
  return to;
}

/** Makes the store's file one of another schema version. */
export async function changeStoreVersion(folder: string): Promise<void> {
  const instance = await DuckDBInstance.create(join(folder, "market.duckdb"));
  const connection = await instance.connect();
  await connection.run("UPDATE meta SET schema_version = 99");
  connection.closeSync();
  instance.closeSync();
}

/** Makes the manifest one of another format, its checksum right. */
export function changeManifestFormat(folder: string): void {
  const path = join(folder, "published/manifest.json");
  const { manifest } = JSON.parse(readFileSync(path, "utf8"));
  const body = JSON.stringify({ ...manifest, format: 99 });
  const sha256 = createHash("sha256").update(body).digest("hex");
  writeFileSync(path, `{"sha256":"${sha256}","manifest":${body}}\n`);
}
