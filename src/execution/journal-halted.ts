import { FabricError, messageOf } from "../core/errors.ts";

/** The cause where the journal has another writer. */
export class AnotherWriter extends Error {
  constructor() {
    super("another process has opened it to write since: it belongs to that runner now (fabric status)");
  }
}

/**
 * The journal could not be written. Nothing has advanced, and nothing more may be sent: restart once the cause is gone. "refused"
 * where the journal has another writer since: that is no trouble that passes, and its loser ends.
 */
export class JournalHalted extends FabricError {
  constructor(path: string, what: string, cause: unknown) {
    super(
      cause instanceof AnotherWriter ? "refused" : "io",
      `Cannot write ${what} to journal ${path}: ${messageOf(cause)}; the runner halts without advancing`,
      {
        cause,
      },
    );
    this.name = "JournalHalted";
  }
}
