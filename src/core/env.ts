/**
 * What the world outside gives to the rooms below `src/role`: time, timers, chance, disk, log, servers and sockets.
 * The real ones live in `src/role/platform`; a simulator brings its own. Nothing below `src/role` reaches for a global.
 */

/** Two clocks. Neither blocks nor throws. */
export interface Clock {
  /** Wall time in ms since the Unix epoch; may jump when the system clock is set. */
  nowMs(): number;
  /** Monotonic ms with a fraction, from an arbitrary origin: for ages, rates and time-outs. */
  monotonicMs(): number;
}

/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

export interface Timers {
  /** Calls `run` once after at least `delayMs` (0 or more). */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` every `periodMs` (1 or more) until cancelled; a late call is not made up for. */
  every(periodMs: number, run: () => void): Timer;
}

/** Chance: for jitter and fresh identities, never for anything a strategy or an order id depends on. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A fresh version-4 UUID in lower case. */
  uuid(): string;
}

/** A fixed set of severities; "debug" is dropped unless asked for. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Where a room says what people should know. Never blocks, never throws. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface FileStat {
  readonly sizeBytes: number;
  readonly isDirectory: boolean;
  /** The newest change of the file's content or of the file itself (its name, its stamps), epoch ms. */
  readonly modifiedMs: number;
}

/**
 * The disk, synchronously (what goes through here is small; DuckDB and SQLite do their own reading and writing). Every
 * method throws FabricError "io" on failure, "missing-input" where the file should exist and does not.
 */
export interface Files {
  readText(path: string): string;
  readBytes(path: string): Uint8Array;
  /** Replaces the file in one step: temporary sibling, fsync, rename, fsync of the folder. Mode 0600. */
  writeDurably(path: string, data: string | Uint8Array): void;
  /** Null where nothing is there. Follows links. */
  stat(path: string): FileStat | null;
  /** Names (not paths) in a folder, sorted; empty where there is no such folder. */
  list(folder: string): readonly string[];
  /** Makes the folder and its parents, mode 0700; fine where it exists. */
  makeFolder(path: string): void;
  /** Removes a file; fine where there is none. */
  remove(path: string): void;
  rename(from: string, to: string): void;
  /** fsyncs a file that another library wrote. */
  sync(path: string): void;
  /** The path with every link resolved; a part that does not exist is kept as it stands. */
  realPath(path: string): string;
  /** Lower-case hex SHA-256 of a file's bytes, read in pieces. */
  sha256(path: string): string;
}

/** One client WebSocket. Handlers are called from the event loop, never from within a call made to the socket. */
export interface Socket {
  /** Sends a text message. Dropped without a word unless the socket is open. */
  send(text: string): void;
  /** Starts an orderly close, and drops the connection where that takes over a second. Idempotent. */
  close(): void;
}

export interface SocketHandlers {
  onOpen(): void;
  /** A whole text message. Binary messages arrive as their UTF-8 decoding. */
  onMessage(text: string): void;
  /** The other side answered a protocol ping, or sent one (already answered by the platform). May never be called. */
  onPong?(): void;
  /** Called exactly once, also where the connection never opened. */
  onClose(reason: string): void;
}

/** Opens a WebSocket; a connection that fails reports through `onClose`. Does not throw for a well-formed ws(s) URL. */
export type OpenSocket = (url: string, handlers: SocketHandlers) => Socket;

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One GET. Rejects with FabricError "unavailable" where nothing answers within `timeoutMs`; any status resolves. */
export type HttpGet = (url: string, timeoutMs: number) => Promise<HttpReply>;

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as it stands; null for none. */
  readonly body: string | null;
}

/**
 * One request, sent once: never repeated and never redirected. Rejects with FabricError "unavailable" where nothing answers
 * within `timeoutMs` (it may have arrived all the same); any status resolves.
 */
export type HttpSend = (request: HttpRequest, timeoutMs: number) => Promise<HttpReply>;

/** A server-side WebSocket. */
export interface ServerSocket {
  /** Sends a text message; returns the bytes now waiting to be written to this client. */
  send(text: string): number;
  close(code: number, reason: string): void;
  /** Drops the connection without a close frame; absent where the runtime cannot. */
  drop?(): void;
}

export interface ServeOptions {
  /** A host name or address, for example 127.0.0.1. */
  readonly host: string;
  /** 0 asks for a free port. */
  readonly port: number;
  /** `peer`: the client's address, null where the server cannot tell. A request's URL is whole: one without a host is answered 400. */
  fetch(request: Request, peer: string | null): Response | Promise<Response>;
  /** Where given, an upgrade request whose URL it accepts (returns handlers for) becomes a WebSocket; others go to `fetch`. */
  upgrade?(request: Request): ServerSocketHandlers | null;
  /**
   * About how many bytes that a client has not read the kernel may keep for each connection. Where absent, and where the runtime or
   * the system cannot bound it (anything but Bun on Linux), it is the system's own bound: 4 MB on Linux.
   */
  readonly unreadBytes?: number;
}

export interface ServerSocketHandlers {
  onOpen(socket: ServerSocket): void;
  onMessage(socket: ServerSocket, text: string): void;
  onClose(socket: ServerSocket): void;
}

export interface Server {
  readonly host: string;
  readonly port: number;
  /** Stops listening and drops every connection; bounded by a second. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Listens. Throws FabricError "unavailable" naming host and port where they are in use. An HTTP connection on which nothing
 * moves for 30 s may be dropped: streams send heartbeats. WebSockets have no idle time-out.
 */
export type Serve = (options: ServeOptions) => Server;

/** One SQLite database file (node:sqlite's shape, reduced). Calls block; failures throw the driver's error. */
export interface SqlDatabase {
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
  close(): void;
}

export type SqlValue = string | number | bigint | null | Uint8Array;

export interface SqlStatement {
  run(...values: readonly SqlValue[]): void;
  get(...values: readonly SqlValue[]): Readonly<Record<string, SqlValue>> | undefined;
  all(...values: readonly SqlValue[]): readonly Readonly<Record<string, SqlValue>>[];
}

/** Opens (and makes, unless read-only) a SQLite database. Throws FabricError "io" or "missing-input". */
export type OpenSqlite = (path: string, options: { readonly readOnly: boolean }) => SqlDatabase;
