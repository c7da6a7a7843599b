/** What happened in a run: a hash of every event, and on request their text. The same seed gives the same hash. */
export class Trace {
  readonly #keep: number;
  readonly #lines: string[] = [];
  #hash = 0x811c9dc5;
  #trading = 0x811c9dc5;
  #events = 0;

  /** Keeps the newest `keep` events as text. */
  constructor(keep: number) {
    this.#keep = keep;
  }

  /** `who` starting with "bridge" is left out of the trading hash: what it does must change nothing for the others. */
  note(atMs: number, who: string, what: string): void {
    this.#events++;
    const at = Math.round(atMs * 1000);
    this.#hash = mix(mix(this.#hash, who), what) ^ at;
    if (!who.startsWith("bridge")) this.#trading = mix(mix(this.#trading, who), what) ^ at;
    if (this.#keep === 0) return;
    this.#lines.push(`${(atMs / 1000).toFixed(4).padStart(9)}  ${who.padEnd(12)} ${what}`);
    if (this.#lines.length > this.#keep * 2) this.#lines.splice(0, this.#lines.length - this.#keep);
  }

  get events(): number {
    return this.#events;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  get tradingHash(): string {
    return (this.#trading >>> 0).toString(16).padStart(8, "0");
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-this.#keep);
  }
}

/** FNV-1a over a text's code units. */
function mix(hash: number, text: string): number {
  let mixed = hash;
  for (let at = 0; at < text.length; at++) mixed = Math.imul(mixed ^ text.charCodeAt(at), 0x01000193);
  return mixed;
}
