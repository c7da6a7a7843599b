import type { FabricCommand } from "../src/role/cli/command.ts";

const command: FabricCommand = {
  meta: { name: "licences", description: "The licence of fabric and of what the binary carries." },
  examples: ["fabric licences"],
  args: {},
  async run() {
    const { printLicences } = await import("../src/role/tools/licences.ts");
    return printLicences();
  },
};

export default command;
