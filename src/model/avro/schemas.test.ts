// The schemas of the streaming example are pinned: their texts are what registries and other programs know.
import { readFile } from "node:fs/promises";
import avro from "avsc";
import { expect, test } from "vitest";
import streaming from "../../../examples/streaming/graph.ts";
import type { EventModel } from "../definition.ts";
import { parseAvroSchema } from "./schema-tree.ts";
import { eventSchema, modelSchemas } from "./schemas.ts";

const golden = new URL("../../../test/golden/definition/streaming-schemas.json", import.meta.url);

test("the schemas of the streaming example are those of the golden file", async () => {
  const expected = JSON.parse(await readFile(golden, "utf8")) as Record<string, unknown>;
  const schemas = modelSchemas(streaming.model);
  expect(Object.fromEntries(schemas.map(({ subject, schema }) => [subject, JSON.parse(schema)]))).toEqual(expected);
  expect(new Set(schemas.map(({ fingerprint }) => fingerprint)).size).toBe(schemas.length);
});

test("avsc and our own parser take every schema, and no name is used twice", () => {
  for (const { schema } of modelSchemas(streaming.model)) {
    expect(() => avro.Type.forSchema(JSON.parse(schema))).not.toThrow();
    expect(() => parseAvroSchema(schema)).not.toThrow();
  }
});

test("records within records are named after their path", () => {
  const inner = {
    kind: "record",
    fields: [{ name: "kind", type: { kind: "enum", symbols: ["a"] }, optional: true }],
  } as const;
  const event: EventModel = {
    name: "order",
    fields: [
      { name: "lines", type: { kind: "array", item: inner }, optional: false },
      { name: "other", type: { kind: "map", value: inner }, optional: true },
    ],
    key: "",
    time: "",
    dedupHorizonMs: 0,
    partitions: 1,
    retention: {},
  };
  const schema = eventSchema(event);
  const names = [...schema.matchAll(/"(?:record|enum)","name":"([^"]+)"/g)].map(([, name]) => name);
  expect(names).toEqual([
    "rdg.events.order",
    "rdg.events.order_.lines",
    "rdg.events.order_.lines_.kind",
    "rdg.events.order_.other",
    "rdg.events.order_.other_.kind",
  ]);
  expect(() => avro.Type.forSchema(JSON.parse(schema))).not.toThrow();
});
