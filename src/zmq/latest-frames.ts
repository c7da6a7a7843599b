const SPACE = 0x20;
const NODE = /"node"\s*:\s*"((?:[^"\\]|\\.)*)"/;
const decoder = new TextDecoder();

/** The newest frame per key, in the order of their coming. Its owner keeps the bound. */
export class LatestFrames {
  readonly #keyByNode: readonly string[];
  readonly #frames = new Map<string, Uint8Array>();
  #bytes = 0;

  /** Topics that start with one of `keyByNode` are kept per topic and node, others per topic. */
  constructor(keyByNode: readonly string[]) {
    this.#keyByNode = keyByNode;
  }

  get size(): number {
    return this.#frames.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The topic, and where it is kept by node, a space and the first `"node":"…"` of the body as it stands there. */
  keyOf(frame: Uint8Array): string {
    const space = frame.indexOf(SPACE);
    const topic = decoder.decode(frame.subarray(0, space));
    if (!this.#keyByNode.some((prefix) => topic.startsWith(prefix))) return topic;
    const node = NODE.exec(decoder.decode(frame.subarray(space + 1)));
    return `${topic} ${node?.[1] ?? ""}`;
  }

  /** The size of the frame kept under a key, null where there is none. */
  sizeOf(key: string): number | null {
    return this.#frames.get(key)?.length ?? null;
  }

  /** Keeps the frame itself, not a copy. */
  put(key: string, frame: Uint8Array): void {
    this.#bytes += frame.length - (this.#frames.get(key)?.length ?? 0);
    this.#frames.delete(key);
    this.#frames.set(key, frame);
  }

  /** All of them, oldest first; none are left. */
  takeAll(): readonly Uint8Array[] {
    const frames = [...this.#frames.values()];
    this.#frames.clear();
    this.#bytes = 0;
    return frames;
  }
}
