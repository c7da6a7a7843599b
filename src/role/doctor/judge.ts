import type { Evidence, LibraryEvidence } from "./evidence.ts";
import { type Finding, well, wrong } from "./finding.ts";
import { judgeMarket } from "./judge-market.ts";
import { judgeNodes } from "./judge-nodes.ts";

/** Below this much free space a warning is due: DuckDB, its log and the segments grow beside each other. */
export const LEAST_FREE_BYTES = 1024 ** 3;

/** What the evidence means, in the order in which a person would mend it. Pure. */
export function judge(evidence: Evidence): readonly Finding[] {
  const libraries = [judgeLibrary("libzmq", evidence.libzmq), judgeLibrary("duckdb", evidence.duckdb)];
  if (!evidence.folder.exists) return [...libraries, noFolder(evidence)];
  return [...libraries, ...judgeFolder(evidence), ...judgeNodes(evidence), ...judgeMarket(evidence)];
}

function judgeLibrary(check: string, library: LibraryEvidence): Finding {
  if ("version" in library) return well(check, `version ${library.version} loads`);
  return wrong(
    check,
    `cannot be loaded: ${library.problem}`,
    "see that a cache folder can be written (HOME or XDG_CACHE_HOME) and that this platform is supported (fabric licences names the libraries)",
  );
}

function noFolder(evidence: Evidence): Finding {
  const { path } = evidence.folder;
  return wrong(
    "data-folder",
    `there is no data folder ${path}`,
    `start something in it (fabric up --data ${path}), or name the one that is in use (--data DIR, or FABRIC_DATA)`,
  );
}

function judgeFolder(evidence: Evidence): readonly Finding[] {
  const { path, writeProblem, freeBytes } = evidence.folder;
  const folder =
    writeProblem === null
      ? well("data-folder", `${path} can be written`)
      : wrong(
          "data-folder",
          `${path} cannot be written: ${writeProblem}`,
          "give this user write permission on it and on what is in it, or choose another with --data",
        );
  return [folder, judgeDisk(freeBytes)];
}

function judgeDisk(freeBytes: number | null): Finding {
  if (freeBytes === null) return well("disk", "the system does not tell how much space is free");
  const free = `${(freeBytes / LEAST_FREE_BYTES).toFixed(freeBytes < LEAST_FREE_BYTES ? 2 : 1)} GiB are free`;
  if (freeBytes >= LEAST_FREE_BYTES) return well("disk", free);
  return wrong(
    "disk",
    `only ${free}`,
    "make at least 1 GiB of room: on a full disk market-data stops ingesting, runners halt",
  );
}
