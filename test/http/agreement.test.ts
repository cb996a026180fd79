// The description and the readers agree: what a schema allows is taken, or refused for what only the definition knows; what a reader takes, the schema allows.
import { Ajv2020 } from "ajv/dist/2020.js";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import streaming from "../../examples/streaming/graph.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import { compileRecordValidator } from "../../src/model/avro/json-record.ts";
import type { EventModel } from "../../src/model/definition.ts";
import type { Queries, QueryContext } from "../../src/query/port.ts";
import { createQueries } from "../../src/query/queries.ts";
import { recordComponent } from "../../src/serve/openapi/graph-schemas.ts";
import { type HttpServer, createServer } from "../../src/serve/server.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { type Schemas, nearly, valuesOf } from "./schema-values.ts";

/** An event with every type of field. */
const everything: EventModel = {
  name: "everything",
  key: "key",
  time: "at",
  dedupHorizonMs: 0,
  partitions: 1,
  retention: {},
  fields: [
    { name: "key", type: { kind: "string" }, optional: false },
    { name: "at", type: { kind: "timestamp" }, optional: false },
    { name: "text", type: { kind: "string" }, optional: true },
    { name: "int", type: { kind: "int32" }, optional: true },
    { name: "long", type: { kind: "int64" }, optional: true },
    { name: "double", type: { kind: "double" }, optional: true },
    { name: "flag", type: { kind: "boolean" }, optional: false },
    { name: "bytes", type: { kind: "bytes" }, optional: true },
    { name: "symbol", type: { kind: "enum", symbols: ["a", "b"] }, optional: true },
    { name: "list", type: { kind: "array", item: { kind: "int64" } }, optional: true },
    { name: "map", type: { kind: "map", value: { kind: "timestamp" } }, optional: true },
    {
      name: "record",
      type: { kind: "record", fields: [{ name: "inner", type: { kind: "bytes" }, optional: false }] },
      optional: true,
    },
  ],
};
const model = { ...streaming.model, events: [...streaming.model.events, everything] };

let server: HttpServer;
let queries: Queries;
let schemas: Schemas;
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });

beforeAll(async () => {
  const store = referenceStore({ model, clock: systemClock });
  const waitFor = async (): Promise<boolean> => true;
  queries = createQueries({
    model,
    store,
    clock: systemClock,
    waitFor,
    continuationKey: new Uint8Array(32),
    limits: { timeoutMsMax: 10_000 },
  });
  server = createServer({ model, clock: systemClock, timers: systemTimers, queries, settings: { port: 0 } });
  const answer = await server.app.inject({ url: "/v1/openapi.json", headers: { host: "localhost" } });
  const document = answer.json<{ components: { schemas: Schemas } }>();
  schemas = document.components.schemas;
  ajv.addSchema(document, "api");
});

afterAll(() => server.close());

const valid = (name: string, value: unknown): boolean =>
  ajv.validate({ $ref: `api#/components/schemas/${name}` }, value);

/** What a schema cannot state: it depends on the definition, on the calendar, on bytes, or on several members at once. */
const semantic = new Set([
  "unknown_property",
  "impossible_hop",
  "impossible_path",
  "bad_moment",
  "bad_value",
  "bad_id",
  "not_comparable",
  "not_a_text",
  "not_ordered",
  "condition_too_deep",
  "condition_too_long",
  "unknown_partition",
  "unknown_topic",
  "unknown_enrichment",
  "bad_continuation",
  "query_syntax",
  // The same edge type twice in a hop; the same id twice where ids must differ.
  "not_allowed",
  // One millisecond is allowed, too.
  "deadline_exceeded",
  "bad_count",
]);

function isSemantic({ code, place = "" }: RdgError): boolean {
  // Repetitions of all hops together are bounded, too.
  return semantic.has(code) || (code === "out_of_range" && place.endsWith("/repeat/times"));
}

type Question = readonly [schema: string, ask: (request: unknown, context: QueryContext) => Promise<unknown>];
const questions: readonly Question[] = [
  ["TraverseRequest", (request, context) => queries.traverse(request, context)],
  ["ContinueRequest", (request, context) => queries.traverse(request, context)],
  ["QueryRequest", (request, context) => queries.query(request, context)],
  ["NodesRequest", (request, context) => queries.nodes(request, context)],
  ["EdgesRequest", (request, context) => queries.edges(request, context)],
  ["CountRequest", (request, context) => queries.count(request, context)],
  ["ShortestPathRequest", (request, context) => queries.shortestPath(request, context)],
  ["CommonNeighboursRequest", (request, context) => queries.commonNeighbours(request, context)],
];

/** Why it was refused; undefined when it was not. */
async function refusal(ask: Question[1], request: unknown): Promise<RdgError | undefined> {
  try {
    await ask(request, { signal: AbortSignal.timeout(10_000) });
    return undefined;
  } catch (error) {
    if (error instanceof RdgError) return error;
    throw error;
  }
}

describe("requests of queries", () => {
  for (const [name, ask] of questions) {
    test(`${name}: what the schema allows is taken, or refused for what only the definition knows`, async () => {
      await fc.assert(
        fc.asyncProperty(valuesOf({ $ref: `#/components/schemas/${name}` }, schemas), async (request) => {
          expect(valid(name, request)).toBe(true);
          const refused = await refusal(ask, request);
          if (refused !== undefined && !isSemantic(refused)) throw refused;
        }),
        { numRuns: 60 },
      );
    });

    test(`${name}: what the reader takes, the schema allows`, async () => {
      const requests = valuesOf({ $ref: `#/components/schemas/${name}` }, schemas).chain(nearly);
      await fc.assert(
        fc.asyncProperty(requests, async (request) => {
          const allowed = valid(name, request) || (name === "TraverseRequest" && valid("ContinueRequest", request));
          if (!allowed && (await refusal(ask, request)) === undefined) throw new Error("the reader takes it");
        }),
        { numRuns: 100 },
      );
    });
  }
});

describe("records of events", () => {
  const validate = compileRecordValidator(everything.fields, everything.key);
  const name = recordComponent("event", everything.name);
  const semanticOfRecords = ["bad_timestamp", "out_of_range", "too_long", "ill_formed_text", "bad_key"];

  test("what the schema allows is taken, or refused for bytes and calendars", () => {
    fc.assert(
      fc.property(valuesOf({ $ref: `#/components/schemas/${name}` }, schemas), (record) => {
        expect(valid(name, record)).toBe(true);
        const codes = validate(record).map(({ code }) => code);
        expect(codes.filter((code) => !semanticOfRecords.includes(code))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test("what the reader takes, the schema allows", () => {
    fc.assert(
      fc.property(valuesOf({ $ref: `#/components/schemas/${name}` }, schemas).chain(nearly), (record) => {
        if (!valid(name, record)) expect(validate(record)).not.toEqual([]);
      }),
      { numRuns: 80 },
    );
  });
});
