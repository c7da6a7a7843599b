import type { Context } from "hono";
import * as v from "valibot";

/** What an answer's schema says, and where it goes. Everything is read by GET. */
export interface ApiRoute {
  readonly path: string;
  readonly tag: "telemetry" | "trading" | "market" | "service";
  /** One line for the list of routes. */
  readonly summary: string;
  /** Parameters by name, each with a description that completes "expected …". */
  readonly query: v.ObjectEntries;
  readonly answer: v.GenericSchema;
  /** Other statuses than 200 and 400 that it may give, each with what it means. */
  readonly others: Readonly<Record<number, string>>;
  readonly handle: (query: never) => unknown;
  /** Its status by the answer; 200 where absent. */
  readonly statusOf?: (answer: never) => 200 | 503;
}

/** Ties a route's handler to its schemas: the query as parsed, and an answer that the schema's type can stand for. */
export function defineRoute<const Entries extends v.ObjectEntries, Answer>(
  route: Omit<ApiRoute, "query" | "answer" | "handle" | "others" | "statusOf"> & {
    readonly query: Entries;
    readonly answer: v.GenericSchema<unknown, Answer>;
    readonly others?: Readonly<Record<number, string>>;
    readonly statusOf?: (answer: Answer) => 200 | 503;
    readonly handle: (query: v.InferOutput<v.ObjectSchema<Entries, undefined>>) => Answer | Promise<Answer>;
  },
): ApiRoute {
  return { others: {}, ...route };
}

/** What a request gets instead of an answer; its message is for the client. */
export class ApiError extends Error {
  readonly status: 400 | 404 | 503;
  readonly retryAfterS: number | null;

  constructor(status: 400 | 404 | 503, message: string, retryAfterS: number | null = null) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

/** A found text as it is told back, in characters. */
const TOLD = 60;

/** Answers a request by its route; what is wrong with it is told with its status. Rejects with what the route fails with. */
export async function answer(route: ApiRoute, c: Context): Promise<Response> {
  c.header("cache-control", "no-store");
  try {
    const found = await (route.handle as (query: unknown) => unknown)(parseQuery(route, c));
    const status = (route.statusOf as ((answer: unknown) => 200 | 503) | undefined)?.(found) ?? 200;
    return c.body(JSON.stringify(found), status, { "content-type": "application/json" });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.retryAfterS !== null) c.header("retry-after", String(error.retryAfterS));
    return c.json({ error: error.message }, error.status);
  }
}

/** A parameter's own schema, whether it must be given, and what stands for it where it is not. */
export function querySchema({ query }: ApiRoute, name: string) {
  const schema = query[name] as AnySchema;
  const required = schema.type !== "optional";
  return { schema: unwrapped(schema), required, fallback: schema.default };
}

/** Completes "expected …". */
export function queryDescription(route: ApiRoute, name: string): string {
  return v.getDescription(querySchema(route, name).schema) ?? name;
}

/** Parses the query; throws ApiError 400 that names what was expected and what was found. */
function parseQuery(route: ApiRoute, c: Context): unknown {
  const { path, query } = route;
  const fail = (expected: string, found: string) => {
    throw new ApiError(400, `Cannot read ${path}: expected ${expected}, found ${found}`);
  };
  const given = c.req.queries();
  const values: Record<string, unknown> = {};
  for (const [name, texts] of Object.entries(given)) {
    const schema = Object.hasOwn(query, name) ? query[name] : undefined;
    if (!schema) return fail(knownNames(query), `a parameter "${name.slice(0, TOLD)}"`);
    if (texts.length > 1) return fail(`${name} once`, `it ${texts.length} times`);
    const text = texts[0] ?? "";
    values[name] = isNumber(schema) && /^-?\d{1,16}$/.test(text) ? Number(text) : text;
  }
  for (const [name, schema] of Object.entries(query)) {
    const result = v.safeParse(schema, values[name]);
    const found = given[name]?.[0];
    if (!result.success)
      return fail(queryDescription(route, name), found === undefined ? "none" : `"${found.slice(0, TOLD)}"`);
    values[name] = result.output;
  }
  return values;
}

function knownNames(query: v.ObjectEntries): string {
  const names = Object.keys(query);
  return names.length === 0 ? "no parameters" : `only ${names.join(", ")}`;
}

type AnySchema = v.ObjectEntries[string] & { readonly wrapped?: AnySchema; readonly default?: unknown };

/** The schema inside `optional`. */
function unwrapped(schema: AnySchema): v.GenericSchema {
  return (schema.wrapped ? unwrapped(schema.wrapped) : schema) as v.GenericSchema;
}

function isNumber(schema: AnySchema): boolean {
  return unwrapped(schema).type === "number";
}
