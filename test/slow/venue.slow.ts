import { describe, expect, test } from "bun:test";
import { denoProgram } from "../deno/deno.ts";
import { bun, deno } from "../deno/program.ts";

const executable = await denoProgram();
const RUNTIMES = [bun(), ...(executable === null ? [] : [deno(executable)])];

describe("Orders on the wire", () => {
  for (const runtime of RUNTIMES) {
    test(`${runtime.name} sends a request once, also where a kept connection breaks under it`, async () => {
      await using program = runtime.start("test/deno/send-once.ts", []);
      const { code, out, err } = await program.endsWithin(30_000);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toContain("9 requests broken off, each on the wire once");
    }, 40_000);

    test(`${runtime.name} runs the venue's broker and the simulated venue through bad days, and both agree`, async () => {
      await using program = runtime.start("test/deno/venue.ts", []);
      const { code, out, err } = await program.endsWithin(60_000);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toContain("40 orders on bad days, found as the venue has them");
    }, 70_000);
  }
});
