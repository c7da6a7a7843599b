import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { type ApiRoute, queryDescription, querySchema } from "./api-route.ts";
import { ERROR } from "./api-schemas.ts";

/** A route whose answer is no JSON: described by hand. */
interface TextRoute {
  readonly path: string;
  readonly summary: string;
  readonly contentType: string;
}

const TEXT_ROUTES: readonly TextRoute[] = [
  {
    path: "/api/stream",
    summary:
      "Server-sent events: the snapshot, then whatever is heard. Event ids are epoch-seq; Last-Event-ID (or ?lastEventId=) goes on " +
      "after one, or a resync event says why it cannot. ?topics=health,candle.BTCUSDT narrows: event types, each alone or with .symbol or .node",
    contentType: "text/event-stream",
  },
  { path: "/metrics", summary: "The same figures for Prometheus, text format 0.0.4", contentType: "text/plain" },
  { path: "/grafana.json", summary: "A Grafana dashboard over /metrics", contentType: "application/json" },
  {
    path: "/api",
    summary: "This description; a list for people where text/html is asked for",
    contentType: "application/json",
  },
];

const ABOUT =
  "Reads everything and changes nothing: every route answers GET alone. Each value that is heard carries ageMs and stale. " +
  "Times are epoch ms (UTC); prices and volumes of candles are JSON numbers, quantities and money are decimal strings. " +
  "Every list has a bound, which its schema tells (maxItems).";

/** What may be answered before a route is reached. */
const GATE: readonly (readonly [status: number, what: string])[] = [
  [401, "this bridge has a token, and the request none that fits"],
  [403, "the request comes under another host's name, or from another site"],
  [429, "too many requests or wrong tokens from one address; again after Retry-After"],
];

/** OpenAPI 3.1 of the routes, out of the schemas that they are held to. */
export function openApi(routes: readonly ApiRoute[], version: string): Readonly<Record<string, unknown>> {
  const paths = new Map<string, unknown>();
  for (const route of routes) paths.set(route.path, { get: operationOf(route) });
  for (const route of TEXT_ROUTES) paths.set(route.path, { get: textOperation(route) });
  return {
    openapi: "3.1.0",
    info: { title: "fabric bridge", version, description: ABOUT },
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    paths: Object.fromEntries(paths),
    // Without a token where the bridge has none.
    security: [{}, { token: [] }],
    components: {
      schemas: { Error: jsonSchema(ERROR) },
      securitySchemes: {
        token: { type: "apiKey", in: "header", name: "authorization", description: "Bearer and the token" },
      },
    },
  };
}

/** The routes as a page without script or style of its own. */
export function routeList(routes: readonly ApiRoute[], version: string): string {
  const rows = [...routes.map(listed), ...TEXT_ROUTES.map(({ path, summary }) => row(path, summary, []))];
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>fabric ${escaped(version)}: API</title></head><body>` +
    `<h1>fabric ${escaped(version)}: API</h1><p>${escaped(ABOUT)}</p><dl>${rows.join("")}</dl></body></html>`
  );
}

function operationOf(route: ApiRoute) {
  const answer = { "application/json": { schema: jsonSchema(route.answer) } };
  const error = { "application/json": { schema: { $ref: "#/components/schemas/Error" } } };
  const others = Object.entries(route.others).map(([status, description]) => {
    const content = route.statusOf && status === "503" ? answer : error;
    return [status, { description, content }] as const;
  });
  return {
    tags: [route.tag],
    summary: route.summary,
    operationId: route.path
      .replaceAll(/[^A-Za-z0-9]+/g, " ")
      .trim()
      .replaceAll(" ", "-"),
    parameters: Object.keys(route.query).map((name) => parameterOf(route, name)),
    responses: {
      200: { description: route.summary, content: answer },
      400: { description: "the query is not as expected", content: error },
      ...Object.fromEntries(GATE.map(([status, description]) => [status, { description, content: error }])),
      ...Object.fromEntries(others),
    },
  };
}

function parameterOf(route: ApiRoute, name: string) {
  const { schema, required, fallback } = querySchema(route, name);
  const converted = jsonSchema(schema);
  return {
    name,
    in: "query",
    required,
    description: queryDescription(route, name),
    schema: fallback === undefined ? converted : { ...converted, default: fallback },
  };
}

function textOperation({ path, summary, contentType }: TextRoute) {
  return {
    tags: ["service"],
    summary,
    operationId: path
      .replaceAll(/[^A-Za-z0-9]+/g, " ")
      .trim()
      .replaceAll(" ", "-"),
    responses: { 200: { description: summary, content: { [contentType]: {} } } },
  };
}

/** Checks that JSON's own numbers pass anyway, and what bodies are shortened to on their way in. */
const UNTOLD = ["safe_integer", "finite", "transform", "check"];

function jsonSchema(schema: v.GenericSchema): JsonSchema {
  const { $schema: _dialect, ...rest } = toJsonSchema(schema, {
    target: "draft-2020-12",
    typeMode: "output",
    ignoreActions: UNTOLD,
    overrideAction: ({ valibotAction, jsonSchema: made }) =>
      valibotAction.type === "safe_integer" ? { ...made, type: "integer" } : undefined,
  });
  return rest;
}

function listed(route: ApiRoute): string {
  return row(
    route.path,
    route.summary,
    Object.keys(route.query).map((name) => {
      const { required, fallback } = querySchema(route, name);
      const usual = fallback === undefined ? (required ? "needed" : "optional") : `${String(fallback)} unless given`;
      return `${name}: ${queryDescription(route, name)} (${usual})`;
    }),
  );
}

function row(path: string, summary: string, parameters: readonly string[]): string {
  const list = parameters.map((parameter) => `<li>${escaped(parameter)}</li>`).join("");
  return `<dt><a href="${escaped(path)}"><code>${escaped(path)}</code></a></dt><dd>${escaped(summary)}${list === "" ? "" : `<ul>${list}</ul>`}</dd>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
