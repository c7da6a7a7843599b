import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "doctor",
    description:
      "Looks at a data folder and its live nodes for some seconds; each finding with its remedy. 0: all well, 69: not.",
  },
  examples: ["fabric doctor", "fabric doctor --json", "fabric doctor --data /srv/fabric"],
  args: { json: JSON_FLAG, data: DATA_FLAG },
  async run(values) {
    const { runDoctor } = await import("../src/role/doctor/doctor.ts");
    return runDoctor({ json: values.json === true, data: text(values, "data") });
  },
};

export default command;
