// Readers of foreign schemas: compiled once while in use, and forgotten, longest unused first, when they are many or large.
import { expect, test } from "vitest";
import type { FieldModel } from "../model/value-type.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import { ForeignSchemas } from "./foreign-schemas.ts";

const fields: readonly FieldModel[] = [{ name: "id", type: { kind: "string" }, optional: false }];
const own = JSON.stringify({ type: "record", name: "r", fields: [{ name: "id", type: "string" }] });

/** Every id has a schema, with a comment of that many characters. */
function foreign(comment: (id: number) => number): { readonly schemas: ForeignSchemas; readonly asked: number[] } {
  const asked: number[] = [];
  const registry: Partial<SchemaRegistry> = {
    async byId(id) {
      asked.push(id);
      return own.replace('"name":"r"', `"name":"r","doc":"${"x".repeat(comment(id))}"`);
    },
  };
  return { schemas: new ForeignSchemas(registry as SchemaRegistry, fields, own), asked };
}

test("one that is in use is compiled once", async () => {
  const { schemas, asked } = foreign(() => 0);
  for (let i = 0; i < 300; i++) {
    expect(await schemas.find(1)).toHaveProperty("read");
    await schemas.find(i % 250);
  }
  expect(asked.filter((id) => id === 1)).toEqual([1]);
});

test("the longest unused is forgotten when there are many", async () => {
  const { schemas, asked } = foreign(() => 0);
  for (let id = 0; id < 257; id++) await schemas.find(id);
  await schemas.find(256);
  await schemas.find(1);
  expect(asked).toHaveLength(257);
  await schemas.find(0);
  expect(asked).toHaveLength(258);
});

test("large ones are few", async () => {
  const { schemas, asked } = foreign((id) => (id === 9 ? 900_000 : 1_000_000));
  for (const id of [1, 2, 3, 4]) await schemas.find(id);
  for (const id of [2, 3, 4]) await schemas.find(id);
  expect(asked).toEqual([1, 2, 3, 4]);
  await schemas.find(1);
  expect(asked).toEqual([1, 2, 3, 4, 1]);
});
