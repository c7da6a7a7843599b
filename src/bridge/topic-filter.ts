import { TELEMETRY_TYPES } from "./contract.ts";

/** Most topics one filter may name. */
const MAX_TOPICS = 1000;
const MAX_SUBJECT_CHARS = 64;

/** What a stream is asked for: event types, whole or narrowed to single symbols or nodes. Made by `parseTopicFilter`. */
export class TopicFilter {
  /** The same text for filters that let the same through. */
  readonly key: string;
  /** By type; null where all of it is wanted. */
  readonly #subjects: ReadonlyMap<string, ReadonlySet<string> | null>;

  constructor(subjects: ReadonlyMap<string, ReadonlySet<string> | null>) {
    this.#subjects = subjects;
    const words = [...subjects].flatMap(([type, names]) =>
      names === null ? [type] : [...names].map((name) => `${type}.${name}`),
    );
    this.key = words.sort().join(",");
  }

  /** Whether an event of this type about this symbol or node is wanted. */
  matches(type: string, subject: string): boolean {
    const names = this.#subjects.get(type);
    return names === null || names?.has(subject) === true;
  }
}

/**
 * Reads a comma list such as `health,candle.BTCUSDT,logs.md`: event types, each alone or with `.symbol` (candle) or `.node`
 * (all others). A symbol or node that is not known yet is fine. A text says what was expected and what was found.
 */
export function parseTopicFilter(text: string): TopicFilter | string {
  const words = text.split(",");
  if (words.length > MAX_TOPICS) return `Cannot open the stream: expected at most ${MAX_TOPICS} topics, found more`;
  const subjects = new Map<string, Set<string> | null>();
  for (const word of words) {
    const dot = word.indexOf(".");
    const type = dot < 0 ? word : word.slice(0, dot);
    const subject = dot < 0 ? null : word.slice(dot + 1);
    if (!(TELEMETRY_TYPES as readonly string[]).includes(type) || subject === "" || tooLong(subject)) {
      return `Cannot open the stream: expected topics from ${TELEMETRY_TYPES.join(", ")}, each alone or with .symbol or .node such as candle.BTCUSDT, found "${word.slice(0, 60)}"`;
    }
    const names = subjects.get(type);
    if (subject === null || names === null) subjects.set(type, null);
    else if (names) names.add(subject);
    else subjects.set(type, new Set([subject]));
  }
  return new TopicFilter(subjects);
}

function tooLong(subject: string | null): boolean {
  return subject !== null && subject.length > MAX_SUBJECT_CHARS;
}
