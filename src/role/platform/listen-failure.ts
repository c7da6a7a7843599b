import { FabricError, messageOf } from "../../core/errors.ts";

/** Why a server could not listen, with the remedy: "unavailable" where the port is taken or not allowed, else "usage". */
export function listenFailure(host: string, port: number, error: unknown): FabricError {
  const code = (error as { readonly code?: unknown }).code;
  const action = `Cannot listen on ${host}:${port}`;
  const cause = { cause: error };
  if (code === "EADDRINUSE")
    return new FabricError(
      "unavailable",
      `${action}: the port is in use; stop what holds it, or choose another`,
      cause,
    );
  if (code === "EACCES")
    return new FabricError("unavailable", `${action}: this user may not use that port; choose one above 1023`, cause);
  return new FabricError("usage", `${action}: expected an address of this machine (${messageOf(error)})`, cause);
}
