import type { ZmqStatus } from "./contract.ts";

/** How long a disconnected peer may go without libzmq saying that it retries. It says so at once, or never. */
const PATIENCE_MS = 500;

/**
 * libzmq reconnects after a lost connection, but gives a peer up for good after a protocol error (garbage on the wire, a
 * frame above ZMQ_MAXMSGSIZE): "disconnected" is then not followed by "retrying". This finds the addresses to connect anew.
 * Bounded by the connected addresses. Events name an address now as given, now resolved, so tcp is told apart by port.
 */
export class StoppedPeers {
  readonly #addresses = new Set<string>();
  readonly #open = new Map<string, { disconnects: number; dueAtMs: number }>();

  add(address: string): void {
    this.#addresses.add(address);
  }

  remove(address: string): void {
    this.#addresses.delete(address);
  }

  note(status: ZmqStatus, nowMs: number): void {
    if (status.type === "disconnected" && this.#known(status.endpoint)) {
      const disconnects = (this.#open.get(keyOf(status.endpoint))?.disconnects ?? 0) + 1;
      this.#open.set(keyOf(status.endpoint), { disconnects, dueAtMs: nowMs + PATIENCE_MS });
    } else if (status.type === "retrying") {
      const entry = this.#open.get(keyOf(status.endpoint));
      if (entry && --entry.disconnects <= 0) this.#open.delete(keyOf(status.endpoint));
    }
  }

  /** The addresses that libzmq has given up, each told once. */
  takeDue(nowMs: number): readonly string[] {
    const due = [...this.#open].filter(([, { dueAtMs }]) => dueAtMs <= nowMs).map(([key]) => key);
    for (const key of due) this.#open.delete(key);
    return [...this.#addresses].filter((address) => due.includes(keyOf(address)));
  }

  /** In how many ms the next is due, -1 where none is. */
  nextDueInMs(nowMs: number): number {
    let nextMs = -1;
    for (const { dueAtMs } of this.#open.values()) {
      const inMs = Math.max(0, Math.ceil(dueAtMs - nowMs));
      nextMs = nextMs < 0 ? inMs : Math.min(nextMs, inMs);
    }
    return nextMs;
  }

  #known(endpoint: string): boolean {
    return [...this.#addresses].some((address) => keyOf(address) === keyOf(endpoint));
  }
}

function keyOf(address: string): string {
  return address.startsWith("tcp://") ? address.slice(address.lastIndexOf(":")) : address;
}
