// What a window publishes on type topics reads back as the window's own updates, in either form, by one reader, and after the definition has grown.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { arbitraryModel as wholeModel, arbitraryUpdateOf } from "../../../test/update-algebra/arbitrary.ts";
import type { GraphModel, PropertyModel } from "../definition.ts";
import { batchOfElements } from "./batch-of-elements.ts";
import type { UpdateBatch } from "./batch.ts";
import { isOpaque } from "./opaque-value.ts";
import { graphOf } from "./oracle.ts";
import { type UpdateRow, updateRowsOf } from "./rows.ts";
import { compileTypePublisher, compileTypeReader, type PublishedForm } from "./type-records.ts";

/** Opaque values are any bytes there; as Avro they cannot be written. */
const arbitraryModel: GraphModel = {
  ...wholeModel,
  nodes: wholeModel.nodes.map((node) => ({ ...node, properties: node.properties.filter(isReadable) })),
  edges: wholeModel.edges.map((edge) => ({ ...edge, properties: edge.properties.filter(isReadable) })),
};

function isReadable({ type }: PropertyModel): boolean {
  return !isOpaque(type);
}

const topics = [
  ...arbitraryModel.nodes.map(({ name }) => ["node", name, `nodes.${name}`] as const),
  ...arbitraryModel.edges.map(({ name }) => ["edge", name, `edges.${name}`] as const),
];
const batches = fc
  .array(arbitraryUpdateOf(arbitraryModel), { maxLength: 20 })
  .map((updates) => batchOfElements(arbitraryModel, [...graphOf(arbitraryModel, updates).values()] as UpdateRow[]));

function readBack(
  model: GraphModel,
  topic: string,
  published: PublishedForm,
  batch: UpdateBatch,
  partitions = 3,
): UpdateRow[] {
  const publish = compileTypePublisher(arbitraryModel, { name: topic, partitions, published, schemaId: 7 });
  const read = compileTypeReader(model, topic);
  return publish(batch).flatMap(({ batch: { count, values } }) =>
    Array.from({ length: count }, (_, i) => [...read(values, i)]).flat(),
  );
}

const byKey = (rows: Iterable<UpdateRow>): ReadonlyMap<string, UpdateRow> =>
  new Map([...rows].map((row) => [row.kind === "node" ? row.id : JSON.stringify([row.from, row.to]), row]));

test("both forms read back as the updates of the window", () => {
  fc.assert(
    fc.property(
      batches,
      fc.constantFrom<PublishedForm>("single", "packed"),
      fc.constantFrom(1, 3),
      (batch, form, parts) => {
        for (const [kind, type, topic] of topics) {
          const wanted = byKey(updateRowsOf(arbitraryModel, batch, kind, type));
          expect(byKey(readBack(arbitraryModel, topic, form, batch, parts))).toEqual(wanted);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("a definition with more or fewer properties at the end reads what it knows of a single update", () => {
  const [node] = arbitraryModel.nodes;
  const fewer = { ...node!, properties: node!.properties.slice(0, -1) };
  const model = { ...arbitraryModel, nodes: [fewer, ...arbitraryModel.nodes.slice(1)] };
  const lacking = node!.properties.at(-1)!.name;
  fc.assert(
    fc.property(batches, (batch) => {
      const wanted = [...updateRowsOf(arbitraryModel, batch, "node", node!.name)].map((row) => ({
        ...row,
        properties: Object.fromEntries(Object.entries(row.properties).filter(([name]) => name !== lacking)),
      }));
      const plain = readBack(model, `nodes.${node!.name}`, "single", batch).map((row) => ({
        ...row,
        properties: { ...row.properties },
      }));
      expect(byKey(plain)).toEqual(byKey(wanted));
    }),
  );
});

test("opaque values are their Avro bytes, and end where their type says", () => {
  const tags: PropertyModel = { name: "tags", type: { kind: "array", item: { kind: "string" } }, merge: "last" };
  const after: PropertyModel = { name: "after", type: { kind: "int32" }, merge: "max" };
  const model: GraphModel = { ...arbitraryModel, nodes: [{ name: "thing", properties: [tags, after] }], edges: [] };
  const value = Uint8Array.of(4, 2, 97, 2, 98, 0);
  const properties = { tags: { value, timeMs: 5 }, after: { value: 3 } };
  const row: UpdateRow = { kind: "node", type: "thing", id: "x", firstSeenMs: 5, lastSeenMs: 5, properties };
  const topic = { name: "nodes.thing", partitions: 1, published: "single", schemaId: 7 } as const;
  const [records] = compileTypePublisher(model, topic)(batchOfElements(model, [row]));
  const [read] = compileTypeReader(model, "nodes.thing")(records!.batch.values, 0);
  expect({ ...read, properties: { ...read!.properties } }).toEqual(row);
});

test("what is neither form is refused", () => {
  const read = compileTypeReader(arbitraryModel, topics[0]![2]);
  const values = { bytes: Buffer.from("what?"), starts: Uint32Array.of(0, 5) };
  expect(() => [...read(values, 0)]).toThrowError(expect.objectContaining({ code: "not_an_update" }) as Error);
  expect(() => compileTypeReader(arbitraryModel, "nodes.nothing")).toThrowError(/no type/);
});
