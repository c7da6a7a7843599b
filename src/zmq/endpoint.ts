import { FabricError } from "../core/errors.ts";
import type { Endpoint } from "./contract.ts";

/** sun_path holds 108 bytes with its NUL (unix(7)); libzmq refuses longer ones. */
const MAX_IPC_PATH_BYTES = 107;
const MAX_INPROC_BYTES = 255;

/** Checks an address as far as that needs no I/O; throws FabricError "usage" that says what was expected. */
export function checkEndpoint(endpoint: Endpoint): void {
  const fault = addressFault(endpoint.address, endpoint.how);
  if (fault) throw new FabricError("usage", `Cannot ${endpoint.how} "${endpoint.address}": ${fault}`);
}

/** The file of an ipc address, null for the other transports. */
export function ipcPath(address: string): string | null {
  return address.startsWith("ipc://") ? address.slice("ipc://".length) : null;
}

function addressFault(address: string, how: Endpoint["how"]): string | null {
  const tcp = /^tcp:\/\/(\[[0-9a-fA-F:.%\w]+\]|[^\s:/;[\]]+):(\d{1,5}|\*)$/.exec(address);
  if (tcp) return tcpFault(tcp[1] ?? "", tcp[2] ?? "", how);
  if (address.startsWith("tcp://")) return "expected tcp://host:port";
  const path = ipcPath(address);
  if (path !== null) return ipcFault(path);
  if (address.startsWith("inproc://")) {
    const nameBytes = new TextEncoder().encode(address.slice("inproc://".length)).length;
    return nameBytes >= 1 && nameBytes <= MAX_INPROC_BYTES ? null : "expected inproc:// and a name of 1 to 255 bytes";
  }
  return "expected tcp://host:port, ipc://path or inproc://name";
}

function tcpFault(host: string, portText: string, how: Endpoint["how"]): string | null {
  if (how === "bind")
    return portText === "*" || Number(portText) <= 65_535 ? null : "expected a port of 0 to 65535 or *";
  if (host === "*") return "expected a host to connect to";
  const port = Number(portText);
  return port >= 1 && port <= 65_535 ? null : "expected a port of 1 to 65535";
}

function ipcFault(path: string): string | null {
  if (path === "" || path.startsWith("@") || path.startsWith("*") || path.includes("\0"))
    return "expected ipc:// and a file path";
  const bytes = new TextEncoder().encode(path).length;
  return bytes <= MAX_IPC_PATH_BYTES ? null : `expected a path of at most ${MAX_IPC_PATH_BYTES} bytes, found ${bytes}`;
}
