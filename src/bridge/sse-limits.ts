export interface HubLimits {
  /** Clients at once; the next one is refused and counted. */
  readonly clients: number;
  /** Clients of one address at once, where it is told: further ones are refused and counted, too. */
  readonly clientsPerAddress: number;
  /** Bytes a client may leave unread before it is slow: from then on it gets the newest of every key, as it reads again. */
  readonly clientBytes: number;
  /** Bytes sent to a client in one go; a burst above it goes out in several, so that readers get their turn. */
  readonly flushBytes: number;
  /** Bytes that may wait for the next flush; at the bound they go out at once. */
  readonly pendingBytes: number;
  /** Bytes handed to all clients that catch up in one turn of the event loop; who has to wait gets its turn in order. */
  readonly turnBytes: number;
  /**
   * A client that reads nothing for this long while something waits is cut off and counted, at the next heartbeat but one: before the
   * server drops it as idle (30 s), which nobody would count.
   */
  readonly stuckMs: number;
  /** So is one that takes longer than this over what it catches up with: its first snapshot, or what it was too slow for. */
  readonly catchUpMs: number;
}

export const HUB_LIMITS: HubLimits = {
  clients: 5000,
  clientsPerAddress: 100,
  clientBytes: 64 * 1024,
  flushBytes: 64 * 1024,
  pendingBytes: 8 * 1024 * 1024,
  turnBytes: 4 * 1024 * 1024,
  stuckMs: 20_000,
  catchUpMs: 60_000,
};

export interface HubTimes {
  /** Events wait this long for company: nodes publish in bursts, and one write per client is cheaper than many. */
  readonly flushMs: number;
  /**
   * Flushes are this far apart per client, at most `paceMostMs`: a write costs the kernel some 7 µs whatever is in it, so the cost
   * hardly follows the number of events (1,000 clients: 14 % of a core at 20 events a second, 22 % at 200).
   */
  readonly pacePerClientMs: number;
  readonly paceMostMs: number;
  readonly heartbeatMs: number;
  /** What `retry:` tells browsers. */
  readonly retryMs: number;
}

export const HUB_TIMES: HubTimes = {
  flushMs: 5,
  pacePerClientMs: 0.1,
  paceMostMs: 250,
  heartbeatMs: 5000,
  retryMs: 1000,
};
