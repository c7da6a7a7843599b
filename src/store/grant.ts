import { FabricError } from "../core/errors.ts";
import { type ProcessRole, processRole } from "./guard.ts";

/** A class with a private field is nominal: no object literal and no cast-free code can stand in for it. */
class Grant {
  readonly #role = "market-data";

  static holds(value: unknown): value is Grant {
    return typeof value === "object" && value !== null && #role in value && value.#role === "market-data";
  }
}

/** Leave to write a store. Only `grantWriter` makes one, and only market-data's composition root may import that. */
export type WriterGrant = Grant;

/** Throws FabricError "refused" unless `role` and the declared role of this process are both market-data. */
export function grantWriter(role: ProcessRole): WriterGrant {
  const asking = role === "market-data" ? processRole() : role;
  if (asking !== "market-data") {
    throw new FabricError(
      "refused",
      `Cannot open the market store for writing: only the market-data role may, and this is "${asking}"; read the published segments instead`,
    );
  }
  return new Grant();
}

/** Whether `value` really is a grant: the run-time half of the type. */
export function isWriterGrant(value: unknown): value is WriterGrant {
  return Grant.holds(value);
}
