// What the routes of the schema registry take and answer: the part of Confluent's REST API that registry-routes.ts serves.
import type { Components } from "./graph-schemas.ts";
import { type JsonSchema, type Members, answered, flag, integer, listOf, text, ref } from "./json-schema.ts";
import { type Content, type Operation, answer, body } from "./operation.ts";
import type { Operations } from "./query-operations.ts";

const contentType = "application/vnd.schemaregistry.v1+json";
const problem: Content = { [contentType]: { schema: ref("RegistryError") } };
const subject: JsonSchema = { type: "string", minLength: 1 };
const schemaId = integer(0, 9_999_999_999);
const version: JsonSchema = { anyOf: [integer(1, 2 ** 31 - 1), { type: "string", enum: ["latest", "-1"] }] };
const levels = ["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"];
const level: JsonSchema = { type: "string", enum: levels };
const truth: JsonSchema = { type: "string", examples: ["true"], description: "`true`; anything else is false." };
const deleted = { deleted: truth };
const count: JsonSchema = { type: "integer", minimum: 1 };

export const registrySchemas: Components = {
  RegistryError: answered({ error_code: { type: "integer" }, message: text }),
  RegisteredSchema: answered({ subject: text, version: count, id: count, schema: text }),
  NewSchema: {
    type: "object",
    properties: {
      schema: { type: "string", minLength: 1, description: "An Avro schema, as text." },
      schemaType: { type: ["string", "null"], enum: ["AVRO", null] },
      references: { type: ["array", "null"], maxItems: 0 },
    },
    required: ["schema"],
  },
  CompatibilityLevel: answered({ compatibility: level }),
  CompatibilityConfig: answered({ compatibilityLevel: level }),
  CompatibilityCheck: answered({ is_compatible: flag, messages: listOf(text) }, ["messages"]),
  Mode: answered({ mode: text }),
};

const newSchema = body(told(ref("NewSchema")));
const bySubject = { subject };
const byVersion = { subject, version };

export const registryOperations: Operations = {
  "GET /registry": registry("registry", "An empty object", { type: "object" }),
  "GET /registry/schemas/types": registry("schemaTypes", "The types of schemas: AVRO", listOf(text)),
  "GET /registry/schemas/ids/:id": found(
    "schemaById",
    "A schema by its id",
    { id: schemaId },
    answered({ schema: text }),
  ),
  "GET /registry/schemas/ids/:id/schema": found("schemaTextById", "Its text alone", { id: schemaId }, {}),
  "GET /registry/schemas/ids/:id/versions": found(
    "schemaVersions",
    "Where it is used: subjects and versions",
    { id: schemaId },
    listOf(answered({ subject: text, version: count })),
    deleted,
  ),
  "GET /registry/schemas/ids/:id/subjects": found(
    "schemaSubjects",
    "Where it is used: subjects",
    { id: schemaId },
    listOf(text),
    deleted,
  ),
  "GET /registry/subjects": { ...registry("subjects", "All subjects", listOf(text)), query: deleted },
  "POST /registry/subjects/:subject": {
    ...found("lookUpSchema", "The version of a schema under a subject", bySubject, ref("RegisteredSchema"), deleted),
    body: newSchema,
  },
  "DELETE /registry/subjects/:subject": found("deleteSubject", "Deletes a subject", bySubject, listOf(count), {
    permanent: truth,
  }),
  "GET /registry/subjects/:subject/versions": found("versions", "Its versions", bySubject, listOf(count), deleted),
  "POST /registry/subjects/:subject/versions": {
    ...found("registerSchema", "Registers a schema", bySubject, answered({ id: count })),
    body: newSchema,
  },
  "GET /registry/subjects/:subject/versions/:version": found(
    "version",
    "One version",
    byVersion,
    ref("RegisteredSchema"),
    deleted,
  ),
  "GET /registry/subjects/:subject/versions/:version/schema": found("versionText", "Its text", byVersion, {}, deleted),
  "GET /registry/subjects/:subject/versions/:version/referencedby": found(
    "referencedBy",
    "Always empty: there are no references",
    byVersion,
    listOf(count),
    deleted,
  ),
  "DELETE /registry/subjects/:subject/versions/:version": found(
    "deleteVersion",
    "Deletes a version",
    byVersion,
    count,
    {
      permanent: truth,
    },
  ),
  "POST /registry/compatibility/subjects/:subject/versions": {
    ...found(
      "checkCompatibility",
      "Against the versions that its level asks for",
      bySubject,
      ref("CompatibilityCheck"),
      {
        verbose: truth,
      },
    ),
    body: newSchema,
  },
  "POST /registry/compatibility/subjects/:subject/versions/:version": {
    ...found("checkCompatibilityWith", "Against one version", byVersion, ref("CompatibilityCheck"), { verbose: truth }),
    body: newSchema,
  },
  "GET /registry/config": registry("compatibility", "The level of all subjects", ref("CompatibilityConfig")),
  "PUT /registry/config": {
    ...registry("setCompatibility", "Sets it", ref("CompatibilityLevel")),
    body: body(told(ref("CompatibilityLevel"))),
  },
  "DELETE /registry/config": registry("resetCompatibility", "Resets it", ref("CompatibilityLevel")),
  "GET /registry/config/:subject": found(
    "subjectCompatibility",
    "A subject's own level",
    bySubject,
    ref("CompatibilityConfig"),
    {
      defaultToGlobal: truth,
    },
  ),
  "PUT /registry/config/:subject": {
    ...found("setSubjectCompatibility", "Sets it", bySubject, ref("CompatibilityLevel")),
    body: body(told(ref("CompatibilityLevel"))),
  },
  "DELETE /registry/config/:subject": found(
    "resetSubjectCompatibility",
    "Resets it",
    bySubject,
    ref("CompatibilityLevel"),
  ),
  "GET /registry/mode": registry("mode", "The mode: READWRITE", ref("Mode")),
  "GET /registry/mode/:subject": found("subjectMode", "A subject's mode: READWRITE", bySubject, ref("Mode")),
  "PUT /registry/mode": unchangeable("setMode"),
  "PUT /registry/mode/:subject": { ...unchangeable("setSubjectMode"), params: bySubject },
};

function registry(id: string, summary: string, schema: JsonSchema): Operation {
  return {
    id,
    tag: "Schema registry",
    summary,
    answers: { 200: answer("It.", told(schema)) },
    problems: [404, 409, 413, 415, 422],
    problem,
  };
}

function found(id: string, summary: string, params: Members, schema: JsonSchema, query?: Members): Operation {
  return { ...registry(id, summary, schema), params, ...(query && { query }) };
}

function unchangeable(id: string): Operation {
  return { ...registry(id, "Refused: the mode cannot be changed", {}), answers: {} };
}

function told(schema: JsonSchema): Content {
  return { [contentType]: { schema } };
}
