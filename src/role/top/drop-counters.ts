/** Parts of a dotted counter's name that tell of messages or rows which somebody did not get. */
const DROP_WORDS: ReadonlySet<string> = new Set([
  "dropped",
  "oversize",
  "malformed",
  "missed",
  "overflow",
  "overflows",
]);

export interface DropCounter {
  readonly name: string;
  readonly count: number;
}

/** The counters of a metrics snapshot that tell of drops, those above zero only. They count from the node's start. */
export function dropCounters(values: Readonly<Record<string, number>>): readonly DropCounter[] {
  return Object.entries(values)
    .filter(([name, count]) => count > 0 && name.split(".").some((part) => DROP_WORDS.has(part)))
    .map(([name, count]) => ({ name, count }));
}
