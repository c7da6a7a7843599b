import type { ZmqStatus } from "./contract.ts";

/** zmq.h's ZMQ_EVENT_* that we ask the monitor for. */
const EVENT = {
  CONNECT_RETRIED: 0x0004,
  DISCONNECTED: 0x0200,
  HANDSHAKE_FAILED_NO_DETAIL: 0x0800,
  HANDSHAKE_SUCCEEDED: 0x1000,
  HANDSHAKE_FAILED_PROTOCOL: 0x2000,
  HANDSHAKE_FAILED_AUTH: 0x4000,
} as const;

export const MONITORED_EVENTS = Object.values(EVENT).reduce((mask, event) => mask | event, 0);

/** Bytes of a monitor message's first frame: 16-bit event, 32-bit value, in the machine's (little-endian) order. */
export const MONITOR_HEAD_BYTES = 6;

/** The status a monitor message stands for (zmq_socket_monitor(3)); null for an event we did not ask for. */
export function statusOfEvent(head: DataView, endpoint: string): ZmqStatus | null {
  const value = head.getUint32(2, true);
  switch (head.getUint16(0, true)) {
    case EVENT.HANDSHAKE_SUCCEEDED:
      return { type: "connected", endpoint };
    case EVENT.DISCONNECTED:
      return { type: "disconnected", endpoint };
    case EVENT.CONNECT_RETRIED:
      return { type: "retrying", endpoint, delayMs: value };
    case EVENT.HANDSHAKE_FAILED_NO_DETAIL:
      return { type: "handshake-failed", endpoint, reason: `the peer went away (errno ${value})` };
    case EVENT.HANDSHAKE_FAILED_PROTOCOL:
      return { type: "handshake-failed", endpoint, reason: `protocol error 0x${value.toString(16)}` };
    case EVENT.HANDSHAKE_FAILED_AUTH:
      return { type: "handshake-failed", endpoint, reason: `refused with status ${value}` };
    default:
      return null;
  }
}
