import appJs from "embed:app.js.bin" with { type: "file" };
import duckdbNode from "embed:duckdb.node.bin" with { type: "file" };
import hashes from "embed:hashes.json" with { type: "json" };
import indexHtml from "embed:index.html.bin" with { type: "file" };
import libduckdb from "embed:libduckdb.zst" with { type: "file" };
import zmq from "embed:libzmq.node.bin" with { type: "file" };
import styleCss from "embed:style.css.bin" with { type: "file" };
import type { Embedded } from "./contract.ts";

/** The compiled binary's own files. build.ts resolves every embed: name for the target that it builds. */
export const embedded: Embedded | null = {
  zmq: { name: "libzmq.node", path: zmq, sha256: hashes.zmq, compressed: false },
  duckdbNode: { name: "duckdb.node", path: duckdbNode, sha256: hashes.duckdbNode, compressed: false },
  libduckdb: { name: hashes.libduckdbName, path: libduckdb, sha256: hashes.libduckdb, compressed: true },
  assets: new Map([
    ["/", indexHtml],
    ["/assets/app.js", appJs],
    ["/assets/style.css", styleCss],
  ]),
};
