/** What a scanner rule's file takes from "fabric". */
export type { ScanResult, ScanRule, ScanRuleDefinition } from "./contract.ts";
export { defineRule } from "./contract.ts";
