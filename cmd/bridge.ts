import type { FabricCommand } from "../src/role/cli/command.ts";
import { EXPOSURE_FLAGS, exposureOf, TOKEN_FLAG } from "../src/role/cli/exposure-flags.ts";
import { DATA_FLAG, endpointsOf, NAME_FLAG, portOf } from "../src/role/cli/flags.ts";
import { text, whole } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "bridge",
    description: "The dashboard and its read-only API. It can change nothing outside its own memory.",
  },
  examples: [
    "fabric bridge",
    "fabric bridge --port 9000 --telemetry tcp://10.0.0.5:7001",
    "fabric bridge --host 0.0.0.0 --token-file bridge.token",
    "fabric bridge --token-file bridge.token --allow-host fabric.example.com     (behind a proxy with TLS)",
  ],
  args: {
    port: { type: "string", valueHint: "PORT", default: "8080", description: "port to listen on; 0 takes a free one" },
    host: {
      type: "string",
      valueHint: "HOST",
      default: "127.0.0.1",
      description: "address to listen on; one that other machines reach needs a token, or --insecure",
    },
    ...TOKEN_FLAG,
    ...EXPOSURE_FLAGS,
    data: DATA_FLAG,
    name: NAME_FLAG,
    telemetry: {
      type: "string",
      valueHint: "ENDPOINT",
      description: "a node's endpoint elsewhere (those of the data folder are found); may be given several times",
    },
    "max-clients": {
      type: "string",
      valueHint: "N",
      default: "5000",
      description: "event streams at once; one more is answered 503",
    },
  },
  repeatable: ["telemetry", "allow-host"],
  secret: ["token"],
  async run(values) {
    const options = {
      port: portOf(values) ?? 8080,
      ...exposureOf(values, TOKEN_FLAG),
      data: text(values, "data"),
      name: text(values, "name"),
      telemetry: endpointsOf(values, "telemetry"),
      maxClients: whole(values, "max-clients", 1, 100_000) ?? 5000,
    };
    const { runBridge } = await import("../src/role/bridge/bridge.ts");
    return runBridge(options);
  },
};

export default command;
