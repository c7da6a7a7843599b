const encoder = new TextEncoder();

/** One server-sent event as bytes (WHATWG HTML, "server-sent events"). JSON text holds no line break, so one data line does. */
export function encodeEvent(type: string, id: string | null, data: unknown): Uint8Array {
  const idLine = id === null ? "" : `id: ${id}\n`;
  return encoder.encode(`event: ${type}\n${idLine}data: ${JSON.stringify(data)}\n\n`);
}

/** A line every reader skips: it keeps proxies and idle time-outs from closing a quiet stream. */
export function encodeComment(text: string): Uint8Array {
  return encoder.encode(`: ${text}\n\n`);
}

/** How long a browser waits before it connects again. */
export function encodeRetry(delayMs: number): Uint8Array {
  return encoder.encode(`retry: ${delayMs}\n\n`);
}

/** One chunk of many frames: one write per client instead of many. */
export function joinFrames(frames: readonly Uint8Array[]): Uint8Array {
  const [only] = frames;
  if (only && frames.length === 1) return only;
  const joined = new Uint8Array(frames.reduce((sum, frame) => sum + frame.byteLength, 0));
  let at = 0;
  for (const frame of frames) {
    joined.set(frame, at);
    at += frame.byteLength;
  }
  return joined;
}
