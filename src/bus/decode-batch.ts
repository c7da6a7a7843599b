import type { Frame } from "../core/topic.ts";
import type { FrameBatch } from "../zmq/contract.ts";

/** From this many frames on, one decoding for all is worth its price: the texts share, and hold, one string. */
const WHOLE_FROM_FRAMES = 16;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface DecodedBatch {
  readonly messages: readonly Frame[];
  /** Frames that are not UTF-8. */
  readonly undecodable: number;
}

/**
 * Topic and body of every frame of a batch. With `apart`, no text shares memory with another (for values that are kept
 * long); else a large batch of plain ASCII is decoded once and cut, which costs a third.
 */
export function decodeBatch(batch: FrameBatch, apart: boolean): DecodedBatch {
  const whole = apart || batch.length < WHOLE_FROM_FRAMES ? null : asciiText(batch.bytes);
  return whole === null ? decodeEach(batch) : { messages: cut(whole, batch), undecodable: 0 };
}

/** Every byte a character, so that offsets in the bytes are offsets in the text; null for anything else. */
function asciiText(bytes: Uint8Array): string | null {
  const text = decodeText(bytes);
  return text !== null && text.length === bytes.length ? text : null;
}

function cut(text: string, batch: FrameBatch): readonly Frame[] {
  const messages: Frame[] = [];
  let start = 0;
  for (let at = 0; at < batch.length; at++) {
    const end = batch.end(at);
    const space = text.indexOf(" ", start);
    messages.push({ topic: text.slice(start, space), body: text.slice(space + 1, end) });
    start = end;
  }
  return messages;
}

function decodeEach(batch: FrameBatch): DecodedBatch {
  const messages: Frame[] = [];
  for (let at = 0; at < batch.length; at++) {
    const text = decodeText(batch.frame(at));
    if (text === null) continue;
    const space = text.indexOf(" ");
    messages.push({ topic: text.slice(0, space), body: text.slice(space + 1) });
  }
  return { messages, undecodable: batch.length - messages.length };
}

function decodeText(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}
