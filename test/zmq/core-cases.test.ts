import { describe, test } from "bun:test";
import { CORE_CASES } from "./core-cases.ts";
import { Net } from "./net.ts";

describe("the zmq backend", () => {
  for (const { title, run } of CORE_CASES) {
    test(title, async () => {
      await using net = new Net();
      await run(net);
    });
  }
});
