/** Says whether an error that nobody caught is its own, and deals with it then. */
export type Claim = (error: unknown) => boolean;

/** At most one: a process is one node. */
let claim: Claim | null = null;

/** From now on errors that nobody caught are shown to `by` first, until disposed. */
export function claimStrayErrors(by: Claim): Disposable {
  claim = by;
  return {
    [Symbol.dispose]() {
      claim = null;
    },
  };
}

/**
 * Ends the process by `end` on an exception or rejection that nobody caught and nobody claims: half a node is worse than none,
 * and a restart goes on from what is durable.
 */
export function endOnStrayErrors(end: (error: unknown) => void): void {
  const onStray = (error: unknown) => {
    if (claim?.(error) !== true) end(error);
  };
  process.on("uncaughtException", onStray);
  process.on("unhandledRejection", onStray);
}
