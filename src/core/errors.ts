/** What went wrong, as one literal. The process's exit code follows from it (sysexits.h numbers; see `exitCodeOf`). */
export type ErrorCode =
  | "usage" // 64: a flag, value, symbol or endpoint is wrong
  | "bad-data" // 65: a recording, SQL text or strategy file cannot be used
  | "missing-input" // 66: a named file does not exist
  | "unavailable" // 69: a port or the store is in use, or a service does not answer
  | "internal" // 70: a bug in fabric
  | "io" // 74: a folder is not writable, the disk is full
  | "try-again" // 75: a temporary failure
  | "refused" // 77: role guard, name taken, refused SQL, live without consent
  | "config"; // 78: configuration or schema version does not fit

const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  usage: 64,
  "bad-data": 65,
  "missing-input": 66,
  unavailable: 69,
  internal: 70,
  io: 74,
  "try-again": 75,
  refused: 77,
  config: 78,
};

/**
 * The one error class for everything a user can cause or must act on. The message is a full sentence that names the
 * action, what was needed and what was found, and where there is one, the remedy. `cause` keeps the original error.
 */
export class FabricError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "FabricError";
    this.code = code;
  }
}

/** The exit code of an error: that of a FabricError's code; 70 for anything else, which is a bug. */
export function exitCodeOf(error: unknown): number {
  return error instanceof FabricError ? EXIT_CODES[error.code] : EXIT_CODES.internal;
}

const PASSING: ReadonlySet<ErrorCode> = new Set(["unavailable", "io", "missing-input", "try-again"]);

/**
 * Whether waiting may help a read of the store: a segment merged away or being rebuilt, a disk in trouble, a reader with too much
 * to do. What does not pass by itself is "refused", "config", or a bug.
 */
export function isPassing(error: unknown): error is FabricError {
  return error instanceof FabricError && PASSING.has(error.code);
}

/** The text of whatever was thrown, for a log line or a message. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** States what must hold at this point; a failure is a bug in fabric, never a user's mistake. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new FabricError("internal", `Assertion failed: ${what}`);
}

/** Marks a branch that the types rule out, so that a new union member fails to compile. */
export function unreachable(value: never): never {
  throw new FabricError("internal", `Unreachable case: ${JSON.stringify(value)}`);
}
