/** One thing that was looked at. `remedy` is empty where all is well. */
export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly finding: string;
  readonly remedy: string;
}

export function well(check: string, finding: string): Finding {
  return { check, ok: true, finding, remedy: "" };
}

export function wrong(check: string, finding: string, remedy: string): Finding {
  return { check, ok: false, finding, remedy };
}

/** Findings of one kind for many subjects: at most this many are told one by one. */
const MAX_TOLD = 20;

/** The first findings, problems before the rest; what is left is one more that says how many, and how many are wrong. */
export function bounded(check: string, findings: readonly Finding[], what: string): readonly Finding[] {
  if (findings.length <= MAX_TOLD) return findings;
  const sorted = [...findings].sort((one, other) => Number(one.ok) - Number(other.ok));
  const rest = sorted.slice(MAX_TOLD);
  const wrongs = rest.filter((finding) => !finding.ok);
  const told = sorted.slice(0, MAX_TOLD);
  const [first] = wrongs;
  if (!first) return [...told, well(check, `${rest.length} more ${what}: all well`)];
  return [...told, wrong(check, `${rest.length} more ${what}: ${wrongs.length} of them with a problem`, first.remedy)];
}

/** "1 candle", "2 candles". */
export function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? "" : "s"}`;
}
