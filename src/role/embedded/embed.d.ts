declare module "embed:hashes.json" {
  const hashes: {
    readonly zmq: string;
    readonly duckdbNode: string;
    readonly libduckdb: string;
    readonly libduckdbName: string;
  };
  export default hashes;
}

declare module "embed:*" {
  const path: string;
  export default path;
}
