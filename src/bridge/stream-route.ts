import type { Context } from "hono";
import type { TelemetryView } from "./contract.ts";
import { addressOf } from "./peer.ts";
import { parseTopicFilter } from "./topic-filter.ts";

const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  // A proxy that compresses or buffers would hold events back.
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** What a refused client is told to wait, s. */
const RETRY_AFTER_SECONDS = "5";

/**
 * Answers a request for the event stream: `?topics=` as `parseTopicFilter` reads it, and where the client was before from the
 * Last-Event-ID header, or `?lastEventId=` where it can set no header. 400 for topics it does not know, 503 at the client limit.
 */
export function streamRoute(telemetry: TelemetryView): (c: Context) => Response {
  return (c) => {
    const words = c.req.query("topics");
    const topics = words === undefined ? null : parseTopicFilter(words);
    if (typeof topics === "string") return c.json({ error: topics }, 400);
    // Hono answers HEAD through the GET handler and drops the body: a stream opened here would keep its slot for ever.
    if (c.req.raw.method === "HEAD") return c.body(null, 200, STREAM_HEADERS);
    const lastEventId = c.req.header("last-event-id") ?? c.req.query("lastEventId") ?? null;
    const body = telemetry.openStream({ signal: c.req.raw.signal, lastEventId, topics, address: addressOf(c) });
    if (body) return c.body(body, 200, STREAM_HEADERS);
    c.header("retry-after", RETRY_AFTER_SECONDS);
    return c.json(
      { error: "The bridge has all the stream clients it takes; try again later, or start another bridge" },
      503,
    );
  };
}
