import { type ConsolaReporter, createConsola } from "consola";
import { platform } from "#platform";
import type { Log, LogFields, LogLevel } from "../../core/env.ts";
import { toRfc3339 } from "../../core/time.ts";
import type { LogEntry } from "../../core/wire.ts";

const CONSOLA_LEVELS: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 3, debug: 4 };

/** Where a node's log goes besides its telemetry: "text" for people, "json" one object a line (FABRIC_LOG=json). */
export type LogStyle = "text" | "json";

/**
 * A node's log: every level to stderr through consola, and each entry to `onEntry` (the telemetry's bounded ring). Debug only
 * with FABRIC_LOG_LEVEL=debug. Never throws.
 */
export function nodeLog(node: string, onEntry: (entry: LogEntry) => void): Log {
  const style: LogStyle = process.env.FABRIC_LOG === "json" ? "json" : "text";
  const level = process.env.FABRIC_LOG_LEVEL === "debug" ? CONSOLA_LEVELS.debug : CONSOLA_LEVELS.info;
  const reporter: ConsolaReporter = {
    log(entry) {
      const [message, fields] = entry.args as [string, LogFields | undefined];
      process.stderr.write(
        lineOf(style, { at: platform.clock.nowMs(), level: entry.type as LogLevel, message }, node, fields),
      );
    },
  };
  const sink = createConsola({ level, reporters: [reporter], throttle: 0 });
  const at = (severity: LogLevel) => (message: string, fields?: LogFields) => {
    sink[severity](message, fields);
    if (CONSOLA_LEVELS[severity] <= level)
      onEntry({ at: platform.clock.nowMs(), level: severity, message: withFields(message, fields) });
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function lineOf(style: LogStyle, entry: LogEntry, node: string, fields: LogFields | undefined): string {
  if (style === "json") return `${JSON.stringify({ ...entry, node, ...fields })}\n`;
  const mark = entry.level === "info" ? "" : `${entry.level}: `;
  return `${toRfc3339(entry.at)} ${node} ${mark}${withFields(entry.message, fields)}\n`;
}

function withFields(message: string, fields: LogFields | undefined): string {
  if (!fields) return message;
  return `${message} ${Object.entries(fields)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ")}`;
}
