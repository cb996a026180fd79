// What the routes of events, side inputs and CloudEvents take and answer. The document has one path per event and side input, with its own fields.
import type { GraphModel } from "../../model/definition.ts";
import { type Components, recordComponent } from "./graph-schemas.ts";
import { type JsonSchema, answered, count, flag, listOf, oneOfNames, ref, text } from "./json-schema.ts";
import {
  type Answer,
  type Content,
  type Operation,
  type Variant,
  answer,
  body,
  json,
  jsonType,
  linesType,
} from "./operation.ts";
import type { Operations } from "./query-operations.ts";
import { id, time } from "./value-schemas.ts";

const idempotencyKey: JsonSchema = {
  type: "string",
  minLength: 1,
  maxLength: 256,
  pattern: "^[ -~]*[!-~][ -~]*$",
  description: "The same with every attempt of one request; at most 256 bytes of UTF-8.",
};
const partial: JsonSchema = {
  type: "string",
  enum: ["true", "false"],
  description: "true: good records are stored, bad ones quarantined.",
};
const bytes: JsonSchema = { type: "string", format: "binary" };
const problems = [404, 413, 415];
const accepted: Answer = answer("Stored: it survives a crash of any process.", json(ref("Accepted")));

export const ingestSchemas: Components = {
  RecordProblem: answered({ index: count, field: text, code: text, reason: text }, ["field"]),
  Accepted: answered(
    {
      accepted: count,
      positions: { ...listOf(text), description: "The last of each partition, for `waitFor`." },
      duplicate: flag,
      rejected: listOf(ref("RecordProblem")),
      rejectedCount: count,
    },
    ["duplicate", "rejected", "rejectedCount"],
  ),
  CloudEvent: {
    type: "object",
    description: "CloudEvents 1.0, JSON format. The type is an event's name, or ends with a dot and it.",
    properties: {
      specversion: { const: "1.0" },
      id: { type: "string", minLength: 1 },
      source: { type: "string", minLength: 1 },
      type: { type: "string", minLength: 1 },
      time: { ...time, pattern: undefined, format: "date-time" },
      datacontenttype: text,
      data: {},
      data_base64: { type: "string", contentEncoding: "base64" },
    },
    required: ["specversion", "id", "source", "type"],
  },
};

export function ingestOperations(model: GraphModel): Operations {
  return {
    "POST /v1/events/:name": sent("event", model),
    "POST /v1/inputs/:name": sent("input", model),
    "POST /v1/cloudevents": {
      id: "sendCloudEvents",
      tag: "Events",
      summary: "Events as CloudEvents 1.0: structured, batched, or binary with the attributes as headers",
      query: { partial },
      headers: { "idempotency-key": idempotencyKey },
      body: body({
        "application/cloudevents+json": { schema: ref("CloudEvent") },
        "application/cloudevents-batch+json": { schema: listOf(ref("CloudEvent")) },
        [jsonType]: { schema: { description: "Binary mode: the data of one event." } },
      }),
      answers: { 202: accepted },
      problems,
    },
  };
}

function sent(kind: "event" | "input", model: GraphModel): Operation {
  const names = (kind === "event" ? model.events : model.sideInputs).map(({ name }) => name);
  const what = kind === "event" ? "events" : "rows of a side input";
  return {
    id: kind === "event" ? "sendEvents" : "sendRows",
    tag: "Events",
    summary: `Sends ${what}`,
    params: { name: names.length === 0 ? id : oneOfNames(names) },
    query: { partial },
    headers: { "idempotency-key": idempotencyKey },
    body: body(records({})),
    answers: { 202: accepted },
    problems,
    variants: names.map((name) => variant(kind, name)),
  };
}

function variant(kind: "event" | "input", name: string): Variant {
  const record = ref(recordComponent(kind, name));
  return {
    param: "name",
    value: name,
    id: `${kind === "event" ? "sendEvent" : "sendRows"}_${name}`,
    summary: kind === "event" ? `Sends ${name} events` : `Sends rows of ${name}`,
    body: body(records({ anyOf: [record, listOf(record)] })),
  };
}

function records(schema: JsonSchema): Content {
  return {
    [jsonType]: { schema },
    [linesType]: { schema: { type: "string", description: "An object per line." } },
    "avro/binary": { schema: { ...bytes, description: "One record in Confluent framing." } },
  };
}
