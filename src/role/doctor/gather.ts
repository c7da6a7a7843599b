import { accessSync, constants, statfsSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { messageOf } from "../../core/errors.ts";
import { Database } from "../../store/duckdb.ts";
import { storeLayout } from "../../store/layout.ts";
import { readManifest, viewOf } from "../../store/manifest.ts";
import { openStoreReader } from "../../store/reader.ts";
import { type Advertisement, readAdvertisement } from "../lifecycle/advertisement.ts";
import { isAlive } from "../lifecycle/alive-lock.ts";
import type { DataFolder } from "../lifecycle/data-folder.ts";
import { useEmbeddedLibzmq } from "../lifecycle/embedded-libzmq.ts";
import { VERSION } from "../version.ts";
import type { Evidence, FolderEvidence, GapEvidence, LibraryEvidence, ManifestEvidence } from "./evidence.ts";
import { type Heard, listen, NOTHING_HEARD } from "./listen.ts";

/** Where sealing is a moment behind publishing, the manifest is looked at again after this. */
const SEAL_GRACE_MS = 500;

/** Looks at everything, for at most about three seconds; changes nothing. What cannot be looked at is evidence, not an error. */
export async function gather(folder: DataFolder): Promise<Evidence> {
  const folderEvidence = lookAtFolder(folder);
  const libzmq = await probe(async () => {
    useEmbeddedLibzmq();
    return zmqBackend.version();
  });
  const duckdb = await probe(duckdbVersion);
  const advertised = folderEvidence.exists ? advertisements(folder) : [];
  const alive = advertised.filter((node) => node.alive).map((node) => node.advertisement);
  const canListen = "version" in libzmq && alive.length > 0;
  const heard = canListen ? await listen(alive) : NOTHING_HEARD;
  return {
    version: VERSION,
    folder: folderEvidence,
    libzmq,
    duckdb,
    nodes: advertised.map((node) => nodeEvidence(node, folder, heard)),
    storeLocked: folderEvidence.exists && holdsName(folder, "market-data"),
    manifest: await settledManifest(folder, heard),
    gaps: await lookForGaps(folder),
    market: heard.market,
  };
}

function lookAtFolder({ path }: DataFolder): FolderEvidence {
  const exists = platform.files.stat(path)?.isDirectory === true;
  if (!exists) return { path, exists, writeProblem: null, freeBytes: null };
  return { path, exists, writeProblem: writeProblemOf(path), freeBytes: freeBytesOf(path) };
}

/** Every folder that nodes write into, where it is there. */
function writeProblemOf(path: string): string | null {
  try {
    for (const folder of ["", "run", "journal", "published"].map((name) => join(path, name)))
      if (platform.files.stat(folder)) accessSync(folder, constants.W_OK);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

function freeBytesOf(path: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    // Some file systems (and platforms) do not tell; that is what the evidence then says.
    return null;
  }
}

async function probe(version: () => Promise<string>): Promise<LibraryEvidence> {
  try {
    return { version: await version() };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

async function duckdbVersion(): Promise<string> {
  const database = await Database.memory({ threads: "1" });
  try {
    const rows = await (await database.connect()).rows("SELECT version()");
    return String(rows[0]?.[0]).replace(/^v/, "");
  } finally {
    database.close();
  }
}

interface Advertised {
  readonly advertisement: Advertisement;
  readonly alive: boolean;
}

function advertisements(folder: DataFolder): readonly Advertised[] {
  return platform.files
    .list(folder.run)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => {
      const advertisement = readAdvertisement(folder.run, platform.files, name.slice(0, -".json".length));
      return advertisement ? [{ advertisement, alive: holdsName(folder, advertisement.node) }] : [];
    });
}

function holdsName(folder: DataFolder, node: string): boolean {
  return isAlive(folder.run, node, platform.openSqlite);
}

function nodeEvidence(
  { advertisement, alive }: Advertised,
  folder: DataFolder,
  heard: Heard,
): Evidence["nodes"][number] {
  const { node, role, pid, version } = advertisement;
  const health = heard.telemetry.health(node);
  return {
    node,
    role,
    pid,
    version,
    file: join(folder.run, `${node}.json`),
    alive,
    endpoints: advertisement.endpoints.map((address) => ({ address, answered: heard.answered.has(address) })),
    expectedEndpoint: folder.ipcEndpoint(node),
    health: health ? { body: health.value, ageMs: heard.telemetry.ageMs(health) } : null,
    metrics: heard.telemetry.metrics(node)?.value.body ?? null,
  };
}

/** The manifest as it is now, or a moment later where it is behind the newest heartbeat. */
async function settledManifest(folder: DataFolder, heard: Heard): Promise<ManifestEvidence> {
  const found = lookAtManifest(folder);
  const committed = heard.market.heartbeat?.commitSeq ?? 0;
  if (found.kind === "read" && found.view.throughSeq >= committed) return found;
  if (committed === 0) return found;
  await new Promise<void>((resolve) => platform.timers.after(SEAL_GRACE_MS, resolve));
  return lookAtManifest(folder);
}

function lookAtManifest(folder: DataFolder): ManifestEvidence {
  try {
    const manifest = readManifest(storeLayout(folder.path).manifest, platform.files);
    return manifest ? { kind: "read", format: manifest.format, view: viewOf(manifest) } : { kind: "none" };
  } catch (error) {
    return { kind: "unreadable", problem: messageOf(error) };
  }
}

async function lookForGaps(folder: DataFolder): Promise<GapEvidence> {
  const reader = openStoreReader({ folder: folder.path }, platform);
  try {
    const gaps = await reader.gaps(null);
    const newest = gaps.reduce<(typeof gaps)[number] | null>(
      (latest, gap) => (latest === null || gap.toOpenTime > latest.toOpenTime ? gap : latest),
      null,
    );
    return { kind: "read", count: gaps.length, newest };
  } catch (error) {
    return { kind: "unread", problem: messageOf(error) };
  } finally {
    await reader.close();
  }
}
