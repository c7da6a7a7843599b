import { candleTopic, TOPICS } from "../core/topic.ts";
import {
  type CandleBody,
  type HealthBody,
  type IndicatorsBody,
  type LogsBody,
  type MetricsBody,
  type PositionsBody,
  parseCandleBody,
  parseEnvelope,
  type ScanBody,
} from "../core/wire.ts";
import {
  HEALTH_SCHEMA,
  INDICATORS_SCHEMA,
  LOGS_SCHEMA,
  METRICS_SCHEMA,
  POSITIONS_SCHEMA,
  type Problem,
  parseBody,
  SCAN_SCHEMA,
} from "./body-schemas.ts";

/** Larger bodies are malformed: nothing a node sends in good order comes near it. */
export const MAX_BODY_CHARS = 2 * 1024 * 1024;

export type ParsedMessage =
  | { readonly type: "health"; readonly body: HealthBody }
  | { readonly type: "metrics"; readonly body: MetricsBody }
  | { readonly type: "positions"; readonly body: PositionsBody }
  | { readonly type: "scan"; readonly body: ScanBody }
  | { readonly type: "logs"; readonly body: LogsBody }
  | { readonly type: "indicators"; readonly body: IndicatorsBody }
  | { readonly type: "candle"; readonly body: CandleBody };

/** Malformed: on a topic of ours, and unusable. Foreign: a topic the bridge does not show. */
export interface Unusable {
  readonly outcome: "malformed" | "foreign";
  readonly reason: string;
}

/** Reads a message of any topic into a typed body. A topic that ends in a node or symbol must name the body's own. */
export function parseMessage(topic: string, text: string): ParsedMessage | Unusable {
  if (text.length > MAX_BODY_CHARS) return malformed(`a body of ${text.length} characters, at most ${MAX_BODY_CHARS}`);
  if (topic.startsWith(TOPICS.candle)) return parseCandle(topic, text);
  const type = telemetryType(topic);
  if (!type) return { outcome: "foreign", reason: `topic ${topic.slice(0, 80)} is none the bridge shows` };
  const envelope = parseEnvelope(text);
  if (typeof envelope === "string") return malformed(envelope);
  const suffix = topic.slice(TOPICS[type].length);
  if (suffix !== "" && suffix !== envelope.node) return malformed(`topic names ${suffix}, body ${envelope.node}`);
  switch (type) {
    case "health":
      return typed(type, parseBody(HEALTH_SCHEMA, envelope));
    case "metrics":
      return typed(type, parseBody(METRICS_SCHEMA, envelope));
    case "positions":
      return typed(type, parseBody(POSITIONS_SCHEMA, envelope));
    case "scan":
      return typed(type, parseBody(SCAN_SCHEMA, envelope));
    case "indicators":
      return typed(type, parseBody(INDICATORS_SCHEMA, envelope));
    case "logs":
      return typed(type, parseBody(LOGS_SCHEMA, envelope));
  }
}

type TelemetryType = Exclude<ParsedMessage["type"], "candle">;

function telemetryType(topic: string): TelemetryType | null {
  if (topic === TOPICS.metrics) return "metrics";
  if (topic === TOPICS.positions) return "positions";
  for (const type of ["health", "logs", "scan", "indicators"] as const) if (topic.startsWith(TOPICS[type])) return type;
  return null;
}

function parseCandle(topic: string, text: string): ParsedMessage | Unusable {
  const body = parseCandleBody(text);
  if (typeof body === "string") return malformed(body);
  if (topic !== candleTopic(body.symbol)) return malformed(`topic is ${topic.slice(0, 80)}, symbol ${body.symbol}`);
  return { type: "candle", body };
}

function typed<T extends TelemetryType, B extends object>(
  type: T,
  body: B | Problem,
): { readonly type: T; readonly body: B } | Unusable {
  if ("problem" in body) return malformed(body.problem);
  return { type, body };
}

function malformed(reason: string): Unusable {
  return { outcome: "malformed", reason };
}
