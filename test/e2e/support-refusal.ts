import { expect } from "bun:test";
import type { Finished } from "../support/fabric.ts";

const LOG_LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z \S+ /;

/**
 * A command that could not do what was asked: this exit code, nothing on stdout, and on stderr one line for people that begins
 * with "fabric: " and says `message`. What a node logged before it may stand above that line.
 */
export function expectRefusal(done: Finished, code: number, message: string | RegExp): void {
  const lines = done.err.trimEnd().split("\n");
  const last = lines.pop() ?? "";
  expect([done.code, last]).toEqual([code, expect.stringMatching(/^fabric: [^\n]+$/)]);
  expect(last).toMatch(message);
  expect(last).not.toMatch(/this is a bug|\[object|is not an object/);
  expect(lines.filter((line) => !LOG_LINE.test(line))).toEqual([]);
  expect(done.out).toBe("");
}
