import type { HubEvent, RetainedEvents } from "./retained-events.ts";
import type { SseClient } from "./sse-client.ts";
import { joinFrames } from "./sse-frame.ts";
import type { TopicFilter } from "./topic-filter.ts";

interface CatchUp {
  readonly since: number;
  readonly through: number;
  readonly frames: readonly Uint8Array[];
}

/** The clients that asked for the same: they are handed the same bytes. */
export class StreamGroup {
  readonly key: string;
  readonly clients = new Set<SseClient>();
  readonly #filter: TopicFilter | null;
  /** The newest event when it came to be: those up to it are not counted. */
  readonly #bornAt: number;
  /** Events that it wants: published, and sent. */
  #counted = 0;
  #sent = 0;
  #newestCatchUp: CatchUp | null = null;

  constructor(key: string, filter: TopicFilter | null, bornAt: number) {
    this.key = key;
    this.#filter = filter;
    this.#bornAt = bornAt;
  }

  wants(event: HubEvent): boolean {
    return this.#filter === null || this.#filter.matches(event.type, event.subject);
  }

  /** Counts a published event if it wants it, and says whether it does. */
  count(event: HubEvent): boolean {
    if (!this.wants(event)) return false;
    this.#counted++;
    return true;
  }

  /**
   * Hands the next events, those above `since` and up to `through`, to each client that was told everything up to `since`.
   * One that was not, or has no room, stays behind. Returns how many chunks were handed over.
   */
  send(events: readonly HubEvent[], since: number, through: number): number {
    const wanted = this.#filter === null ? events : events.filter((event) => this.wants(event));
    for (const event of wanted) if (event.seq > this.#bornAt) this.#sent++;
    const chunks = new Map<number, Uint8Array | null>();
    let sends = 0;
    for (const client of this.clients) {
      if (client.through < since || client.through >= through || client.isCatchingUp) continue;
      // Who joined while these were pending was told some of them with its snapshot.
      const from = client.through;
      let chunk = chunks.get(from);
      if (chunk === undefined) {
        chunk = chunkOf(wanted, from);
        chunks.set(from, chunk);
      }
      if (chunk !== null && !client.hasRoom) continue;
      // First its place, then the chunk: a reader that waits asks for more from within `give`.
      client.through = through;
      client.told = this.#sent;
      if (chunk !== null && client.give(chunk)) sends++;
    }
    return sends;
  }

  /**
   * Sets a client on the way to the newest of every key, as of `through`. Returns how many events it is not told because a newer
   * one of the same key is; what happened before it connected is not among them.
   */
  startCatchUp(client: SseClient, retained: RetainedEvents, through: number): number {
    const since = client.through;
    // After a restart all clients come back at once: those that come between two events share one list.
    let catchUp = this.#newestCatchUp;
    if (catchUp?.since !== since || catchUp.through !== through) {
      const events = retained.after(since).filter((event) => this.wants(event));
      const frames = events.map((event) => (since < event.priorSeq ? event.whole() : event.part()));
      catchUp = { since, through, frames };
      this.#newestCatchUp = catchUp;
    }
    client.catchUp(catchUp.frames, through);
    const skipped = this.clients.has(client) ? this.#counted - client.told - catchUp.frames.length : 0;
    client.told = this.#counted;
    return skipped;
  }

  /** A key was forgotten: nobody is to get it with a list made before. */
  dropCatchUp(): void {
    this.#newestCatchUp = null;
  }

  /** How many of its clients catch up, or were not told everything up to `through`. */
  countSlow(through: number): number {
    let slow = 0;
    for (const client of this.clients) if (client.isCatchingUp || client.through < through) slow++;
    return slow;
  }
}

function chunkOf(events: readonly HubEvent[], since: number): Uint8Array | null {
  const frames = events.filter((event) => event.seq > since).map((event) => event.part());
  return frames.length === 0 ? null : joinFrames(frames);
}
