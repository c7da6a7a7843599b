import process from "node:process";
import { zmqBackend } from "#zmq-backend";
import { Net } from "../zmq/net.ts";
import { DENO_CASES } from "./cases.ts";

// The zmq suite on Deno: `deno run -A test/deno/zmq.ts`. Exits 1 where a case fails.
const failed: string[] = [];
for (const { title, run } of DENO_CASES) {
  try {
    await using net = new Net();
    await run(net);
    console.log(`ok      ${title}`);
  } catch (error) {
    failed.push(title);
    console.log(`FAILED  ${title}\n`, error);
  }
}
console.log(`${zmqBackend.name}: ${DENO_CASES.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
