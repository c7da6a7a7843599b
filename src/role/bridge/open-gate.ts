import { platform } from "#platform";
import { Access } from "../../bridge/access.ts";
import { Gate } from "../../bridge/gate.ts";
import { isLoopback } from "../../bridge/peer.ts";
import { ANY_ADDRESS, LOOPBACK_HOSTS } from "../../bridge/security.ts";
import type { Log } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import { checkToken, type Exposure } from "../cli/exposure-flags.ts";
import { privateLines } from "../private-file.ts";

/** The token of --token or --token-file; null for none. Throws as `privateLines` does, and "config" for a file with something else. */
export function tokenOf({ token, tokenFile }: Exposure): string | null {
  if (tokenFile === null) return token;
  const [line = "", ...more] = privateLines(tokenFile, "the bridge's token", "token-file");
  if (line === "" || more.some((each) => each !== ""))
    throw new FabricError("config", `Cannot use the bridge's token: expected one line in ${tokenFile} (token-file)`);
  checkToken(line, `Bad token in ${tokenFile}`);
  return line;
}

/** The gate that the flags describe, and what people should know of it in the log. `port` as wished: 0 for any. */
export function openGate(exposure: Exposure, token: string | null, port: number, log: Log): Gate {
  const { host, allowHosts, cors } = exposure;
  if (token === null && !isLoopback(host))
    log.warn(`Everybody who reaches ${host} may read everything here: --insecure, no token`);
  if (process.argv.some((word) => word === "--token" || word.startsWith("--token=")))
    log.warn("The process list shows the token to the other users of this machine: --token-file does not");
  if (platform.runtime === "deno" && !isLoopback(host))
    log.warn("Deno sets slow clients no deadline: put a proxy before this bridge, or run it on Bun");
  return new Gate(
    {
      hosts: ownHosts(host),
      proxies: allowHosts,
      cors,
      access: token === null ? null : new Access(token, { ...platform, log }),
      cookie: `fabric-session-${port}`,
    },
    platform,
  );
}

/** Listening beyond loopback was asked for by name: then that name may stand in the Host header, too. */
function ownHosts(host: string): readonly string[] {
  if (host === "0.0.0.0" || host === "::") return [...LOOPBACK_HOSTS, ANY_ADDRESS];
  const name = host.includes(":") ? `[${host}]` : host;
  return LOOPBACK_HOSTS.includes(name) ? LOOPBACK_HOSTS : [...LOOPBACK_HOSTS, name];
}
