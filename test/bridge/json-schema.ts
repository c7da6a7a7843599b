/** JSON, as far as the API's answers go. */
type Json = Readonly<Record<string, unknown>>;

/** Keywords that say nothing of what fits. */
const TALK = new Set(["description", "title", "default"]);

/**
 * A checker of the JSON Schema (2020-12) that OpenAPI shows, for the keywords that stand in it: any other throws, so that nothing goes
 * unchecked. Fields that the schema does not name are faults: an answer holds nothing that is not described.
 */
export function faultsOf(schema: Json, value: unknown, at = "answer"): readonly string[] {
  const faults: string[] = [];
  for (const [keyword, wanted] of Object.entries(schema)) {
    if (TALK.has(keyword)) continue;
    const check = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined;
    if (!check) throw new Error(`${at}: the schema's keyword ${keyword} is not known to the checker`);
    faults.push(...check(wanted, value, at, schema));
  }
  return faults;
}

type Check = (wanted: unknown, value: unknown, at: string, schema: Json) => readonly string[];

const KEYWORDS: Readonly<Record<string, Check>> = {
  type: (wanted, value, at) => (isOfType(wanted, value) ? [] : [`${at}: ${told(value)} is no ${String(wanted)}`]),
  const: (wanted, value, at) => (value === wanted ? [] : [`${at}: ${told(value)} is not ${told(wanted)}`]),
  enum: (wanted, value, at) =>
    (wanted as unknown[]).includes(value) ? [] : [`${at}: ${told(value)} is none of ${told(wanted)}`],
  anyOf: (wanted, value, at) => {
    const all = (wanted as Json[]).map((one) => faultsOf(one, value, at));
    return all.some((faults) => faults.length === 0) ? [] : [`${at}: fits none: ${all.flat().slice(0, 3).join("; ")}`];
  },
  required: (wanted, value, at) =>
    isObject(value)
      ? (wanted as string[]).filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}.${name} is missing`)
      : [],
  properties: (wanted, value, at, { additionalProperties }) =>
    !isObject(value)
      ? []
      : Object.entries(value).flatMap(([name, member]) => {
          const schema = (wanted as Readonly<Record<string, Json>>)[name];
          if (schema) return faultsOf(schema, member, `${at}.${name}`);
          return isObject(additionalProperties) ? [] : [`${at}.${name} is not described`];
        }),
  additionalProperties: (wanted, value, at, { properties }) =>
    !isObject(wanted) || !isObject(value)
      ? []
      : Object.entries(value)
          .filter(([name]) => !isObject(properties) || !Object.hasOwn(properties, name))
          .flatMap(([name, member]) => faultsOf(wanted, member, `${at}.${name}`)),
  propertyNames: (wanted, value, at) =>
    isObject(value) ? Object.keys(value).flatMap((name) => faultsOf(wanted as Json, name, `${at}'s name`)) : [],
  items: (wanted, value, at) =>
    Array.isArray(value) ? value.flatMap((item, i) => faultsOf(wanted as Json, item, `${at}[${i}]`)) : [],
  minItems: (wanted, value, at) => bound(Array.isArray(value) && value.length < Number(wanted), at, "too few items"),
  maxItems: (wanted, value, at) => bound(Array.isArray(value) && value.length > Number(wanted), at, "too many items"),
  maxProperties: (wanted, value, at) =>
    bound(isObject(value) && Object.keys(value).length > Number(wanted), at, "too many fields"),
  minLength: (wanted, value, at) => bound(typeof value === "string" && value.length < Number(wanted), at, "too short"),
  maxLength: (wanted, value, at) => bound(typeof value === "string" && value.length > Number(wanted), at, "too long"),
  pattern: (wanted, value, at) =>
    bound(
      typeof value === "string" && !new RegExp(String(wanted), "u").test(value),
      at,
      `does not fit ${String(wanted)}`,
    ),
  minimum: (wanted, value, at) => bound(typeof value === "number" && value < Number(wanted), at, "too small"),
  maximum: (wanted, value, at) => bound(typeof value === "number" && value > Number(wanted), at, "too large"),
};

function bound(isBroken: boolean, at: string, what: string): readonly string[] {
  return isBroken ? [`${at}: ${what}`] : [];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOfType(type: unknown, value: unknown): boolean {
  if (type === "object") return isObject(value);
  if (type === "array") return Array.isArray(value);
  if (type === "null") return value === null;
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

function told(value: unknown): string {
  return (JSON.stringify(value) ?? "undefined").slice(0, 60);
}
