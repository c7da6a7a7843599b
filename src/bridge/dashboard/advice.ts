import type { HealthEvent } from "../contract.ts";
import type { LinkState } from "./event-link.ts";

export interface Advice {
  readonly tone: "bad" | "warn";
  readonly title: string;
  readonly what: string;
  readonly command: string;
}

/**
 * What to do about a node that is not well; null where it is. `silent`: nothing is heard of it any more, which says nothing about
 * it while the bridge itself is not heard.
 */
export function adviceOf(
  node: string,
  health: HealthEvent | null,
  silent: boolean,
  link: LinkState = "open",
): Advice | null {
  if (silent && link === "open") {
    return {
      tone: "bad",
      title: "Silent",
      what: "Nothing is heard of it: it has ended, hangs, or cannot be reached. What is shown is what it last said.",
      command: "fabric doctor",
    };
  }
  if (!health) return null;
  const reason = health.reason ?? "it gives no reason";
  if (health.state === "halted") {
    // The kill switch's own words; fabric halt writes what a person gave as a reason behind them.
    const isByHand = /^halted: /.test(reason);
    return {
      tone: "bad",
      title: "Halted",
      what: `${sentence(reason.replace(/^halted: /, ""))} It sends no order.`,
      command: isByHand ? `fabric resume ${node}` : "fabric doctor",
    };
  }
  if (health.state === "failed") {
    return {
      tone: "bad",
      title: "Failed",
      what: `It decides nothing any more. ${sentence(reason)} Mend that and start it again: it goes on where it stopped.`,
      command: `fabric tail telemetry.logs.${node}`,
    };
  }
  if (health.state === "degraded") {
    return { tone: "warn", title: "Degraded", what: sentence(reason), command: "fabric doctor" };
  }
  return null;
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
