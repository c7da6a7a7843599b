import { describe, expect, test } from "bun:test";
import { FabricError } from "../../src/core/errors.ts";
import type { FabricCommand } from "../../src/role/cli/command.ts";
import { endpointsOf, portOf } from "../../src/role/cli/flags.ts";
import { parseStrict, whole } from "../../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: { name: "probe", description: "for this test" },
  examples: [],
  args: {
    target: { type: "positional", required: true, description: "what to probe" },
    port: { type: "string", valueHint: "PORT", default: "8080" },
    count: { type: "string", alias: "c", valueHint: "N" },
    json: { type: "boolean" },
    file: { type: "string" },
    publish: { type: "string" },
  },
  repeatable: ["file", "publish"],
  run: () => Promise.resolve(undefined),
};

function faultOf(...words: string[]): string {
  try {
    parseStrict(command, words);
  } catch (error) {
    expect(error).toBeInstanceOf(FabricError);
    expect((error as FabricError).code).toBe("usage");
    return (error as FabricError).message;
  }
  return "no error";
}

describe("The strict flag layer", () => {
  test("takes flags by long name, by alias, with = and repeated ones as a list", () => {
    const values = parseStrict(command, ["x", "--port=1", "-c", "3", "--json", "--file", "a", "--file=b"]);
    expect(values).toEqual({ target: "x", port: "1", count: "3", json: true, file: ["a", "b"], publish: [] });
  });

  test("fills defaults in and leaves the rest undefined", () => {
    const values = parseStrict(command, ["x"]);
    expect(values.port).toBe("8080");
    expect(values.count).toBeUndefined();
  });

  test("names the nearest flag when one is misspelt", () => {
    expect(faultOf("x", "--prot", "99")).toContain('Unknown flag --prot; did you mean "--port"?');
  });

  test("refuses a missing value, also where the next word is a flag", () => {
    expect(faultOf("x", "--port")).toContain("--port needs a value (PORT)");
    expect(faultOf("x", "--port", "--json")).toContain("--port needs a value");
    expect(faultOf("x", "--port=")).toContain("--port needs a value");
  });

  test("refuses a flag given twice, a value for a switch, a word too many and one too few", () => {
    expect(faultOf("x", "--port", "1", "--port", "2")).toContain("given twice");
    expect(faultOf("x", "--json=yes")).toContain("takes no value");
    expect(faultOf("x", "y")).toContain('Unexpected word "y"');
    expect(faultOf()).toContain("Missing TARGET");
  });

  test("checks numbers, ports and endpoints and says what was found", () => {
    expect(() => whole({ n: "1.5" }, "n", 0, 9)).toThrow('Bad --n "1.5"');
    expect(() => portOf({ port: "70000" })).toThrow("expected a port from 0 to 65535");
    for (const bad of ["tcp://x", "tcp://x:99999", "http://x:1", "ipc://", "x"]) {
      expect(() => endpointsOf({ publish: [bad] }, "publish")).toThrow(`Bad --publish "${bad}"`);
    }
    expect(endpointsOf({ publish: ["tcp://127.0.0.1:5", "tcp://*:*", "ipc:///a/b"] }, "publish")).toHaveLength(3);
  });
});
