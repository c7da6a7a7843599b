/** Where a store's files are, below its data folder. */
export interface StoreLayout {
  /**
   * The truth. Nothing but DuckDB may open this file while its writer lives: closing any other handle of the same process
   * on it drops the process's lock (POSIX record locks).
   */
  readonly market: string;
  /** DuckDB's write-ahead log beside it. */
  readonly marketWal: string;
  readonly published: string;
  readonly manifest: string;
  readonly segments: string;
}

export function storeLayout(folder: string): StoreLayout {
  const published = `${folder}/published`;
  return {
    market: `${folder}/market.duckdb`,
    marketWal: `${folder}/market.duckdb.wal`,
    published,
    manifest: `${published}/manifest.json`,
    segments: `${published}/segments`,
  };
}
