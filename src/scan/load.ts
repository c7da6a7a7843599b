import { FabricError } from "../core/errors.ts";
import { isScanRule, type ScanRule } from "./contract.ts";

const NAME = /^[a-z0-9][a-z0-9._-]{0,47}$/i;

/** The rule that a loaded module exports as its default. `where` names the file. Throws FabricError "bad-data" in one line. */
export function asScanRule(module: unknown, where: string): ScanRule {
  const found =
    typeof module === "object" && module !== null ? (module as { readonly default?: unknown }).default : undefined;
  const fault = found === undefined ? "it has no default export" : ruleFault(found);
  if (fault !== null) {
    throw new FabricError(
      "bad-data",
      `Cannot use scanner rule ${where}: ${fault}; expected \`export default defineRule({ … })\``,
    );
  }
  return found as ScanRule;
}

function ruleFault(value: unknown): string | null {
  if (!isScanRule(value)) return "its default export was not made by defineRule";
  const { name, init, onCandle }: { name: unknown; init: unknown; onCandle: unknown } = value;
  if (typeof name !== "string" || !NAME.test(name)) return 'its "name" is not 1 to 48 letters or digits';
  if (typeof init !== "function") return 'its "init" is missing or not a function';
  if (typeof onCandle !== "function") return 'its "onCandle" is missing or not a function';
  return null;
}
