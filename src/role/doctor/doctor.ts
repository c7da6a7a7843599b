import { declareRole } from "../../store/guard.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { printable, printJson } from "../tools/print.ts";
import type { Finding } from "./finding.ts";
import { gather } from "./gather.ts";
import { judge } from "./judge.ts";

export interface DoctorOptions {
  readonly json: boolean;
  readonly data: string | undefined;
}

/** sysexits.h: something that should be there is not, or does not work. */
const EXIT_UNWELL = 69;

/** Prints what is found about a data folder and its nodes; exit code 0 where all is well, else 69. Takes about three seconds. */
export async function runDoctor(options: DoctorOptions): Promise<number> {
  declareRole("command");
  const findings = judge(await gather(dataFolder(options.data)));
  if (options.json) printJson(findings.map((finding) => ({ ...finding })));
  else process.stdout.write(linesOf(findings).join(""));
  return findings.every((finding) => finding.ok) ? 0 : EXIT_UNWELL;
}

function linesOf(findings: readonly Finding[]): readonly string[] {
  const width = Math.max(...findings.map((finding) => finding.check.length));
  const indent = " ".repeat("PROBLEM  ".length + width + 2);
  const lines = findings.map(({ check, ok, finding, remedy }) => {
    const line = `${ok ? "ok     " : "PROBLEM"}  ${check.padEnd(width)}  ${printable(finding)}\n`;
    return ok ? line : `${line}${indent}remedy: ${printable(remedy)}\n`;
  });
  const problems = findings.filter((finding) => !finding.ok).length;
  const verdict = problems === 0 ? "all is well" : `${problems} of ${findings.length} findings need attention`;
  return [...lines, `\n${verdict}\n`];
}
