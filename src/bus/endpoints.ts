import type { Endpoint } from "../zmq/contract.ts";

/** Addresses as zmq's contract writes them: tcp://host:port, ipc://path, inproc://name. */
export interface BusEndpoints {
  readonly bind?: readonly string[];
  readonly connect?: readonly string[];
}

/** Binds first, in the order given, then connects. */
export function listEndpoints(endpoints: BusEndpoints): readonly Endpoint[] {
  return [
    ...(endpoints.bind ?? []).map((address): Endpoint => ({ address, how: "bind" })),
    ...(endpoints.connect ?? []).map((address): Endpoint => ({ address, how: "connect" })),
  ];
}
