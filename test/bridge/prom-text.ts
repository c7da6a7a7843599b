/** A family as its lines tell it. */
export interface PromFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** By series as it stands: name and labels. */
  readonly samples: ReadonlyMap<string, number>;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP_LINE = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\\\\\|\\\\n)+)$`);
const TYPE_LINE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`);
const LABEL = `[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\\\\\|\\\\"|\\\\n)*"`;
const SAMPLE_LINE = new RegExp(
  `^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\})? (-?[0-9]+(?:\\.[0-9]+)?(?:e[+-]?[0-9]+)?|NaN|[+-]Inf)$`,
);

/**
 * Reads Prometheus's text format 0.0.4 by its grammar ("Exposition formats" of its documentation), stricter than a scraper: HELP, then
 * TYPE, then the samples of one family in one piece; every series once; counters end in _total, and nothing else does. Throws on the
 * first line that does not fit.
 */
export function parseProm(text: string): ReadonlyMap<string, PromFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, PromFamily & { samples: Map<string, number> }>();
  let present: (PromFamily & { samples: Map<string, number> }) | null = null;
  let help: readonly [name: string, text: string] | null = null;
  for (const line of text.slice(0, -1).split("\n")) {
    const helped = HELP_LINE.exec(line);
    const typed = TYPE_LINE.exec(line);
    const sample = SAMPLE_LINE.exec(line);
    if (helped) help = [helped[1] ?? "", helped[2] ?? ""];
    else if (typed) {
      const [, name = "", type = ""] = typed;
      if (help?.[0] !== name) throw new Error(`no help right before: ${line}`);
      if (families.has(name)) throw new Error(`a family in two pieces: ${line}`);
      if ((type === "counter") !== name.endsWith("_total")) throw new Error(`type and name differ: ${line}`);
      present = { name, type, help: help[1], samples: new Map() };
      families.set(name, present);
    } else if (sample) {
      const [, name = "", labels = "", value = ""] = sample;
      if (present?.name !== name) throw new Error(`not of the family before it: ${line}`);
      if (present.samples.has(name + labels)) throw new Error(`a series twice: ${line}`);
      const names = [...labels.matchAll(/(?:\{|",)([a-zA-Z_][a-zA-Z0-9_]*)=/g)].map(([, label]) => label);
      if (new Set(names).size !== names.length) throw new Error(`a label twice: ${line}`);
      present.samples.set(name + labels, Number(value.replace("Inf", "Infinity")));
    } else throw new Error(`no line of the format: ${line}`);
  }
  return families;
}

/** Metric names in a PromQL expression, the words of the language and labels left out. */
export function metricsIn(expression: string): readonly string[] {
  return [...new Set(expression.match(/\bfabric_[a-z0-9_]+\b/g) ?? [])];
}

/** Every counter that is lower than it was, by series. */
export function fallen(
  before: ReadonlyMap<string, PromFamily>,
  after: ReadonlyMap<string, PromFamily>,
): readonly string[] {
  const faults: string[] = [];
  for (const [name, { type, samples }] of before) {
    if (type !== "counter") continue;
    for (const [series, value] of samples) {
      const now = after.get(name)?.samples.get(series);
      if (now !== undefined && now < value) faults.push(`${series}: ${value}, then ${now}`);
    }
  }
  return faults;
}
