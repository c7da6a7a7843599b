/** What the compiled binary carries inside: paths that its own runtime can read. */
export interface Embedded {
  /** The zeromq package's native file, which carries libzmq. */
  readonly zmq: EmbeddedFile;
  readonly duckdbNode: EmbeddedFile;
  /** libduckdb, zstd-compressed; `sha256` and `name` are those of the library itself. */
  readonly libduckdb: EmbeddedFile;
  /** The dashboard: request path to file. */
  readonly assets: ReadonlyMap<string, string>;
}

export interface EmbeddedFile {
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
  readonly compressed: boolean;
}
