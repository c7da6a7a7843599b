import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { FabricError } from "../../src/core/errors.ts";
import { BUILTIN_STRATEGIES } from "../../src/strategy/builtins.ts";
import { defineStrategy, type Strategy } from "../../src/strategy/contract.ts";
import { asStrategy } from "../../src/strategy/load.ts";
import { parseParams, strategySettings } from "../../src/strategy/params.ts";

const schema = v.object({
  fast: v.optional(v.pipe(v.number(), v.integer()), 5),
  side: v.optional(v.picklist(["long", "short"]), "long"),
  armed: v.optional(v.boolean(), false),
  note: v.optional(v.string(), ""),
});

describe("Strategy parameters", () => {
  test("are read by their schema, which fills in defaults", () => {
    expect(parseParams(schema, "", "s")).toEqual({ fast: 5, side: "long", armed: false, note: "" });
    expect(parseParams(schema, "fast=7, armed=true,side=short,note=a=b", "s")).toEqual({
      fast: 7,
      side: "short",
      armed: true,
      note: "a=b",
    });
  });

  const wrong: readonly (readonly [string, string])[] = [
    ["fast=x", 'Bad --params for s: fast: expected number, found "x"'],
    ["fast=", 'Bad --params for s: fast: expected number, found ""'],
    ["fast=1.5", 'Bad --params for s: fast: Invalid integer: Received 1.5, found "1.5"'],
    ["armed=yes", 'Bad --params for s: armed: expected boolean, found "yes"'],
    ["side=up", 'Bad --params for s: side: expected ("long" | "short"), found "up"'],
    ["fsat=1", 'Bad --params: s has no parameter "fsat": did you mean "fast"? It takes armed, fast, note, side'],
    ["constructor=1", "did you mean"],
    ["fast", 'Bad --params "fast": expected key=value, separated by commas'],
    ["=1", 'Bad --params "=1": expected key=value, separated by commas'],
    ["fast=1,fast=2", 'Bad --params: "fast" is given twice'],
  ];
  for (const [text, message] of wrong) {
    test(`such as "${text}" are refused in one clear line`, () => {
      const error = caught(() => parseParams(schema, text, "s"));
      expect(error.code).toBe("usage");
      expect(error.message).toContain(message);
    });
  }

  test("are checked as a whole, too", () => {
    const sma = builtin("sma-cross");
    expect(caught(() => strategySettings(sma, "fast=20,slow=5")).message).toBe(
      "Bad --params for sma-cross: fast must be below slow",
    );
    expect(caught(() => strategySettings(sma, "quantity=-1")).message).toContain("expected a decimal above zero");
  });

  test("give the same text in whatever order they are named, for the journal to be bound to", () => {
    const sma = builtin("sma-cross");
    const text = strategySettings(sma, "slow=9,fast=3").paramsText;
    expect(text).toBe('{"fast":3,"quantity":"0.01","slow":9}');
    expect(strategySettings(sma, "fast=3,slow=9").paramsText).toBe(text);
    expect(strategySettings(sma, null)).toMatchObject({
      timeframe: "1m",
      warmupBars: 21,
      params: { fast: 5, slow: 20 },
    });
  });

  test("may choose the timeframe; one that does not exist or a silly warm-up is the strategy's fault", () => {
    const framed = (timeframe: string, warmup: number): Strategy =>
      defineStrategy({
        name: "framed",
        version: "1",
        params: v.object({ frame: v.optional(v.string(), timeframe) }),
        timeframe: (params) => params.frame as "5m",
        warmup: () => warmup,
        init: () => null,
        onCandle: () => [],
      });
    expect(strategySettings(framed("1m", 0), "frame=1h").timeframe).toBe("1h");
    const unknown = caught(() => strategySettings(framed("7m", 0), null));
    expect([unknown.code, unknown.message.includes('Unknown timeframe "7m"')]).toEqual(["bad-data", true]);
    expect(caught(() => strategySettings(framed("1m", -1), null)).message).toContain("expected 0 to 10000 bars");
  });
});

describe("A strategy's module", () => {
  const good = builtin("sma-cross");
  const bad: readonly (readonly [string, unknown, string])[] = [
    ["without a default export", { strategy: good }, "it has no default export"],
    ["that is not a module", null, "it has no default export"],
    ["with a plain object as default", { default: { name: "x" } }, "was not made by defineStrategy"],
    ["without a name", { default: { ...good, name: undefined } }, '"name"'],
    ["without a version", { default: { ...good, version: 1 } }, '"version"'],
    ["without onCandle", { default: { ...good, onCandle: undefined } }, '"onCandle" is missing'],
    ["with a save and no restore", { default: { ...good, restore: undefined } }, "go together"],
    ["with a schema that is none", { default: { ...good, params: { fast: 5 } } }, '"params" is not a valibot object'],
  ];
  for (const [what, module, reason] of bad) {
    test(`${what} is refused in one clear line`, () => {
      const error = caught(() => asStrategy(module, "./mine.ts"));
      expect(error.code).toBe("bad-data");
      expect(error.message).toStartWith("Cannot use strategy ./mine.ts: ");
      expect(error.message).toContain(reason);
      expect(error.message).not.toContain("\n");
    });
  }

  test("with a strategy as its default export is taken", () => {
    for (const strategy of BUILTIN_STRATEGIES.values()) expect(asStrategy({ default: strategy }, "x")).toBe(strategy);
  });
});

function builtin(name: string): Strategy {
  const strategy = BUILTIN_STRATEGIES.get(name);
  if (!strategy) throw new Error(`no built-in ${name}`);
  return strategy;
}

function caught(run: () => unknown): FabricError {
  try {
    run();
  } catch (error) {
    if (error instanceof FabricError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
