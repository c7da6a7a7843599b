import { expect } from "bun:test";
import { faultsOf } from "./json-schema.ts";

type Json = Readonly<Record<string, unknown>>;

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly description: string;
    readonly schema: Json;
  }[];
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema?: Json }>> }>
  >;
}

export interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>;
  readonly components: { readonly schemas: { readonly Error: Json } };
}

/** Asks a bridge: an app's `request`, or a fetch of a listening one. */
export type Ask = (path: string, init?: RequestInit) => Response | Promise<Response>;

export async function openApiOf(ask: Ask): Promise<OpenApi> {
  const reply = await ask("/api", { headers: { accept: "application/json" } });
  expect(reply.status).toBe(200);
  return (await reply.json()) as OpenApi;
}

/** Asks, and holds status and body to what OpenAPI shows for them; gives the body. */
export async function askDescribed(ask: Ask, api: OpenApi, path: string, status = 200): Promise<Json> {
  const reply = await ask(path);
  const body = (await reply.json()) as Json;
  const told = `${path}: ${JSON.stringify(body).slice(0, 300)}`;
  expect(`${reply.status} ${told}`).toBe(`${status} ${told}`);
  // What no route answered may not be kept by anybody anyway (RFC 9111, 4.2.2).
  if (![401, 403, 429].includes(status)) expect(reply.headers.get("cache-control")).toBe("no-store");
  const described = api.paths[path.split("?")[0] ?? ""]?.get.responses[status]?.content["application/json"]?.schema;
  if (!described) throw new Error(`OpenAPI shows no answer of ${path} with ${status}`);
  const schema = "$ref" in described ? api.components.schemas.Error : described;
  expect(faultsOf(schema, body, path)).toEqual([]);
  return body;
}
