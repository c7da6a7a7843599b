import { type GenericIssue, safeParse } from "valibot";
import { FabricError, messageOf } from "../core/errors.ts";
import { parseTimeframe, type Timeframe } from "../core/timeframe.ts";
import { MAX_WARMUP_BARS, type ParamsSchema, type Strategy } from "./contract.ts";

/** A strategy's settings, checked: what a host runs with and a journal is bound to. */
export interface StrategySettings {
  readonly params: object;
  /** The same settings give the same text: keys sorted, no spaces. */
  readonly paramsText: string;
  readonly timeframe: Timeframe;
  readonly warmupBars: number;
}

/**
 * Reads `k=v,k=v` (or null for none) by the strategy's own schema, which turns the text into numbers and booleans and fills
 * in defaults. Throws FabricError "usage" naming the key, what was expected and, for an unknown key, the nearest one.
 */
export function strategySettings(strategy: Strategy, text: string | null): StrategySettings {
  const params = parseParams(strategy.params, text ?? "", strategy.name);
  try {
    const timeframe = typeof strategy.timeframe === "function" ? strategy.timeframe(params) : strategy.timeframe;
    const warmupBars = strategy.warmup(params);
    if (!Number.isSafeInteger(warmupBars) || warmupBars < 0 || warmupBars > MAX_WARMUP_BARS)
      throw new FabricError("bad-data", `warmup gave ${warmupBars}, expected 0 to ${MAX_WARMUP_BARS} bars`);
    return { params, paramsText: canonicalJson(params), timeframe: parseTimeframe(timeframe ?? "1m"), warmupBars };
  } catch (error) {
    throw new FabricError("bad-data", `Cannot use strategy ${strategy.name}: ${messageOf(error)}`, { cause: error });
  }
}

/** As `strategySettings`, the parameters alone. `owner` names the strategy for people. */
export function parseParams(schema: ParamsSchema, text: string, owner: string): object {
  const given: Record<string, unknown> = {};
  for (const part of text.split(",").map((piece) => piece.trim())) {
    if (part === "") continue;
    const at = part.indexOf("=");
    if (at < 1) throw new FabricError("usage", `Bad --params "${part}": expected key=value, separated by commas`);
    const key = part.slice(0, at).trim();
    const entry = Object.hasOwn(schema.entries, key) ? schema.entries[key] : undefined;
    if (entry === undefined) throw unknownKey(key, Object.keys(schema.entries), owner);
    if (Object.hasOwn(given, key)) throw new FabricError("usage", `Bad --params: "${key}" is given twice`);
    given[key] = coerce(part.slice(at + 1).trim(), kindOf(entry));
  }
  const result = safeParse(schema, given);
  if (!result.success) throw badValue(result.issues[0], given, owner);
  return result.output;
}

/** The schema's own type under optional, nullable and other wrappers; a pipe already carries its first schema's. */
function kindOf(schema: unknown): string {
  let inner = schema as { readonly type?: unknown; readonly wrapped?: unknown };
  for (let depth = 0; depth < 8 && inner.wrapped; depth++) inner = inner.wrapped as typeof inner;
  return String(inner.type);
}

function coerce(text: string, kind: string): unknown {
  if (kind === "number" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (kind === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

function badValue(issue: GenericIssue, given: Readonly<Record<string, unknown>>, owner: string): FabricError {
  const key = issue.path?.map((step) => String(step.key)).join(".");
  if (key === undefined) return new FabricError("usage", `Bad --params for ${owner}: ${issue.message}`);
  const expected = issue.expected === null ? issue.message : `expected ${issue.expected}`;
  return new FabricError(
    "usage",
    `Bad --params for ${owner}: ${key}: ${expected}, found "${String(given[key] ?? "")}"`,
  );
}

function unknownKey(key: string, known: readonly string[], owner: string): FabricError {
  const nearest = [...known].sort((a, b) => distance(key, a) - distance(key, b))[0];
  const hint =
    nearest === undefined ? "it takes none" : `did you mean "${nearest}"? It takes ${[...known].sort().join(", ")}`;
  return new FabricError("usage", `Bad --params: ${owner} has no parameter "${key}": ${hint}`);
}

/** Levenshtein's edit distance. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function canonicalJson(params: object): string {
  return JSON.stringify(params, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
