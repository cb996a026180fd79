// What one route takes and answers, written once, and the route schema that follows: fastify carries it, and the OpenAPI document is made from nothing else.
import type { FastifySchema } from "fastify";
import { type JsonSchema, type Members, ref } from "./json-schema.ts";

export const jsonType = "application/json";
export const linesType = "application/x-ndjson";
const problemType = "application/problem+json";

/** By media type. */
export type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>;

export interface Answer {
  readonly description: string;
  readonly content?: Content;
}

export interface Operation {
  /** Unique; what generated clients call it. */
  readonly id: string;
  readonly tag: "Queries" | "Events" | "Operations" | "Schema registry";
  readonly summary: string;
  /** Of the path; all are required. */
  readonly params?: Members;
  readonly query?: Members;
  readonly headers?: Members;
  readonly body?: { readonly content: Content; readonly required: boolean };
  readonly answers: Readonly<Record<number, Answer>>;
  /** Statuses that are answered as problems, beyond those of every route. */
  readonly problems: readonly number[];
  /** How problems look; as problem+json unless said. */
  readonly problem?: Content;
  /** Whether it is answered without credentials. */
  readonly open?: boolean;
  /** Where one route stands for several paths: what is different for each value of its parameter. */
  readonly variants?: readonly Variant[];
}

export interface Variant {
  readonly param: string;
  readonly value: string;
  readonly id: string;
  readonly summary: string;
  readonly body: NonNullable<Operation["body"]>;
}

/** What fastify keeps with the route. */
export interface RouteSchema extends FastifySchema {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly params?: ObjectSchema;
  readonly querystring?: ObjectSchema;
  readonly headers?: ObjectSchema;
  readonly body?: { readonly content: Content; readonly required: boolean };
  readonly response: Readonly<Record<string, Answer>>;
  readonly open: boolean;
  readonly variants: readonly Variant[];
}

export interface ObjectSchema {
  readonly type: "object";
  readonly properties: Members;
  readonly required: readonly string[];
}

const reasons: ReadonlyMap<number, string> = new Map([
  [400, "The request is not valid: `code`, `place` and `hint` say what to change."],
  [401, "No credentials, or none that are known."],
  [403, "The caller may not, or asks under a name or from an origin that is not allowed."],
  [404, "It does not exist."],
  [408, "The request took too long to come."],
  [409, "It exists in another form."],
  [413, "The body is too large."],
  [415, "The body's type is not understood here."],
  [422, "The request is not valid."],
  [429, "Too much at once: try again after `Retry-After`."],
  [431, "URL and headers are too large."],
  [503, "Not available now: try again after `Retry-After`."],
  [504, "The positions of `waitFor` were not applied in time."],
]);

/** What any request may meet, at the guards before the routes. */
const everywhere = [400, 401, 403, 408, 429, 431, 503];

const problem: Content = { [problemType]: { schema: ref("Problem") } };

export function routeSchemaOf(operation: Operation): RouteSchema {
  const { id, tag, summary, params, query, headers, body, answers, open = false, variants = [] } = operation;
  const statuses = [...new Set([...everywhere, ...operation.problems])].sort((a, b) => a - b);
  const problems = statuses
    .filter((status) => answers[status] === undefined)
    .map((status) => [status, { description: reasons.get(status)!, content: operation.problem ?? problem }] as const);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(params && { params: { type: "object", properties: params, required: Object.keys(params) } }),
    ...(query && { querystring: { type: "object", properties: query, required: [] } }),
    ...(headers && { headers: { type: "object", properties: headers, required: [] } }),
    ...(body && { body }),
    response: { ...answers, ...Object.fromEntries(problems) },
    open,
    variants,
  };
}

export function body(content: Content, required = true): NonNullable<Operation["body"]> {
  return { content, required };
}

export function json(schema: JsonSchema): Content {
  return { [jsonType]: { schema } };
}

export function answer(description: string, content?: Content): Answer {
  return content === undefined ? { description } : { description, content };
}
