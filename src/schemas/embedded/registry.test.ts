// The embedded registry: ids, versions, deletion, compatibility; what its file survives and what it refuses; the bytes of the file.
import { mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SchemaRegistry } from "../port.ts";
import { openEmbeddedRegistry } from "./registry.ts";

const one = '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}';
const oneSpelledOtherwise =
  '{ "fields": [{"type":{"type":"int"}, "name":"a"}], "name":"R", "namespace":"", "type":"record"}';
const two =
  '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":""}]}';
const three = '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}';
const other = '{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}';

let folder: string;
let registry: SchemaRegistry;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-registry-"));
  registry = await openEmbeddedRegistry({ folder });
});

afterEach(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

async function reopen(): Promise<void> {
  await registry.close();
  registry = await openEmbeddedRegistry({ folder });
}

const file = (): string => join(folder, "schemas.journal");

test("the same schema has one id under every subject, however it is spelled", async () => {
  expect(await registry.register("a-value", one)).toEqual({ subject: "a-value", version: 1, id: 1, schema: one });
  expect(await registry.register("a-value", oneSpelledOtherwise)).toEqual({
    subject: "a-value",
    version: 1,
    id: 1,
    schema: one,
  });
  expect(await registry.register("a-value", two)).toMatchObject({ version: 2, id: 2 });
  expect(await registry.register("b-value", oneSpelledOtherwise)).toMatchObject({ version: 1, id: 1 });
  expect(await registry.byId(2)).toBe(two);
  expect(await registry.subjects()).toEqual(["a-value", "b-value"]);
  expect(await registry.versions("a-value")).toEqual([1, 2]);
  expect(await registry.version("a-value", "latest")).toMatchObject({ version: 2 });
  expect(await registry.lookup("a-value", oneSpelledOtherwise)).toMatchObject({ version: 1 });
  expect(await registry.lookup("b-value", two)).toBeUndefined();
});

test("defaults, documentation and aliases make another schema", async () => {
  const plain = '{"type":"enum","name":"E","symbols":["A"]}';
  const variants = [
    plain,
    plain.replace("}", ',"default":"A"}'),
    plain.replace("}", ',"doc":"d"}'),
    plain.replace("}", ',"aliases":["F"]}'),
  ];
  const ids = await Promise.all(variants.map(async (schema) => (await registry.register("s", schema)).id));
  expect(ids).toEqual([1, 2, 3, 4]);
});

test("what cannot be read is refused with its reasons and changes nothing", async () => {
  await registry.register("s", one);
  await expect(registry.register("s", three)).rejects.toMatchObject({
    kind: "conflict",
    code: "incompatible_schema",
    message: expect.stringContaining("b: the field was not written and has no default") as string,
  });
  expect(await registry.versions("s")).toEqual([1]);
  await expect(registry.byId(2)).rejects.toMatchObject({ code: "schema_not_found" });
  expect(await registry.incompatibilities("s", three)).toHaveLength(1);
  expect(await registry.incompatibilities("s", two)).toEqual([]);
  expect(await registry.incompatibilities("unknown", three, "latest")).toEqual([]);
});

test("compatibility is global or the subject's own, and transitive ones look at every version", async () => {
  expect(await registry.compatibility("s")).toBe("BACKWARD");
  await registry.setCompatibility("NONE", "s");
  for (const schema of [one, other]) await registry.register("s", schema);
  await registry.setCompatibility("BACKWARD", "s");
  expect(await registry.incompatibilities("s", other.replace('"string"', '"bytes"'))).toEqual([]);
  await registry.setCompatibility("BACKWARD_TRANSITIVE", "s");
  expect(await registry.incompatibilities("s", other.replace('"string"', '"bytes"'))).toEqual([
    "version 1: the new schema cannot read earlier records: a: bytes cannot read int",
  ]);
  await registry.setCompatibility("FULL");
  expect(await registry.compatibility("t")).toBe("FULL");
  expect(await registry.ownCompatibility("t")).toBeUndefined();
  await registry.setCompatibility(undefined, "s");
  await reopen();
  expect(await registry.compatibility("s")).toBe("FULL");
});

test("deletion is soft, then permanent; numbers and ids stay taken", async () => {
  await registry.register("s", one);
  await registry.register("s", two);
  await expect(registry.deleteVersion("s", 1, { permanent: true })).rejects.toMatchObject({
    code: "version_not_soft_deleted",
  });
  expect(await registry.deleteVersion("s", "latest")).toBe(2);
  await expect(registry.deleteVersion("s", 2)).rejects.toMatchObject({ code: "version_soft_deleted" });
  expect(await registry.versions("s")).toEqual([1]);
  expect(await registry.versions("s", { deleted: true })).toEqual([1, 2]);
  await expect(registry.version("s", 2)).rejects.toMatchObject({ code: "version_not_found" });
  expect(await registry.version("s", 2, { deleted: true })).toMatchObject({ id: 2 });
  expect(await registry.register("s", two)).toMatchObject({ version: 3, id: 2 });
  await expect(registry.deleteSubject("s", { permanent: true })).rejects.toMatchObject({
    code: "subject_not_soft_deleted",
  });
  expect(await registry.deleteSubject("s")).toEqual([1, 3]);
  await expect(registry.deleteSubject("s")).rejects.toMatchObject({ code: "subject_soft_deleted" });
  await expect(registry.versions("s")).rejects.toMatchObject({ code: "subject_not_found" });
  expect(await registry.subjects()).toEqual([]);
  expect(await registry.subjects({ deleted: true })).toEqual(["s"]);
  await reopen();
  expect(await registry.deleteSubject("s", { permanent: true })).toEqual([1, 2, 3]);
  expect(await registry.subjects({ deleted: true })).toEqual([]);
  expect(await registry.byId(2)).toBe(two);
  expect(await registry.register("s", three)).toMatchObject({ version: 1, id: 3 });
});

test.each([
  ["no JSON", "{"],
  ["an unknown type", '"text"'],
  ["a field without a name", '{"type":"record","name":"R","fields":[{"type":"int"}]}'],
  ["a field twice", '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}'],
  ["a name that is none", '{"type":"enum","name":"E E","symbols":["A"]}'],
  ["a symbol that is no name", '{"type":"enum","name":"E","symbols":["A-B"]}'],
  ["a default that is no symbol", '{"type":"enum","name":"E","symbols":["A"],"default":"B"}'],
  ["a type twice in a union", '["int","int"]'],
  ["a union in a union", '["int",["string"]]'],
  [
    "a name defined twice",
    '[{"type":"fixed","name":"F","size":1},{"type":"array","items":{"type":"fixed","name":"F","size":1}}]',
  ],
  ["a primitive's name", '{"type":"fixed","name":"int","size":1}'],
  ["a negative size", '{"type":"fixed","name":"F","size":-1}'],
  ["deep nesting", '{"type":"array","items":'.repeat(1000) + '"int"' + "}".repeat(1000)],
  ["an attribute nested deeply", `{"type":"int","x":${"[".repeat(1000)}${"]".repeat(1000)}}`],
  ["too many bytes", JSON.stringify({ type: "int", doc: "d".repeat(1024 * 1024) })],
])("an invalid schema is refused: %s", async (_, schema) => {
  await expect(registry.register("s", schema)).rejects.toMatchObject({ kind: "invalid", code: "invalid_schema" });
});

test("names that JavaScript uses itself are names like any other", async () => {
  const schema =
    '{"type":"record","name":"__proto__","fields":[{"name":"constructor","type":{"type":"map","values":"int","__proto__":{"x":1}}}]}';
  expect(await registry.register("__proto__", schema)).toMatchObject({ id: 1 });
  expect(await registry.register("constructor", schema.replace('"x":1', '"x":2'))).toMatchObject({ id: 2 });
  await reopen();
  expect(await registry.subjects()).toEqual(["__proto__", "constructor"]);
});

test.each([
  ["an empty name", ""],
  ["a control character", "a\nb"],
  ["a lone surrogate", "\ud800"],
  ["a long name", "x".repeat(256)],
])("a subject with %s is refused", async (_, subject) => {
  await expect(registry.register(subject, one)).rejects.toMatchObject({ code: "invalid_subject" });
});

test("bounds refuse, and what is there goes on", async () => {
  await registry.close();
  registry = await openEmbeddedRegistry({ folder, subjectsMax: 2, versionsPerSubjectMax: 2, schemasMax: 3 });
  await registry.register("a", one);
  await registry.register("a", two);
  await registry.setCompatibility("NONE");
  await expect(registry.register("a", other)).rejects.toMatchObject({ kind: "overloaded", code: "registry_full" });
  await registry.register("b", one);
  await expect(registry.register("c", one)).rejects.toMatchObject({ code: "registry_full" });
  expect(await registry.register("a", one)).toMatchObject({ version: 1 });
});

test("concurrent registrations get distinct ids and versions, and all are there after a restart", async () => {
  await registry.setCompatibility("NONE");
  const schemas = Array.from(
    { length: 40 },
    (_, index) => `{"type":"fixed","name":"F${index % 20}","size":${index % 20}}`,
  );
  const registered = await Promise.all(schemas.map((schema) => registry.register("s", schema)));
  expect(new Set(registered.map(({ id }) => id)).size).toBe(20);
  await reopen();
  expect(await registry.versions("s")).toHaveLength(20);
  for (const { id, schema } of registered) expect(await registry.byId(id)).toBe(schema);
});

test("a write that a crash cut anywhere is dropped, and everything before it is kept", async () => {
  await registry.register("s", one);
  const before = (await readFile(file())).length;
  await registry.register("s", two);
  await registry.close();
  const whole = await readFile(file());
  for (let size = before; size < whole.length; size++) {
    await writeFile(file(), whole.subarray(0, size));
    registry = await openEmbeddedRegistry({ folder });
    expect(await registry.versions("s")).toEqual([1]);
    await registry.close();
  }
  const zeroed = Buffer.from(whole);
  zeroed.fill(0, before, before + 20);
  await writeFile(file(), zeroed);
  registry = await openEmbeddedRegistry({ folder });
  expect(await registry.register("s", two)).toMatchObject({ version: 2, id: 2 });
  await reopen();
  expect(await registry.versions("s")).toEqual([1, 2]);
});

test("a file cut within its header starts afresh", async () => {
  await registry.close();
  for (const size of [0, 5, 11]) {
    await truncate(file(), size);
    registry = await openEmbeddedRegistry({ folder });
    expect(await registry.subjects()).toEqual([]);
    await registry.close();
  }
});

test("damage in the middle is refused and left as it is", async () => {
  await registry.register("s", one);
  await registry.register("s", two);
  await registry.close();
  const whole = await readFile(file());
  whole[30]! ^= 1;
  await writeFile(file(), whole);
  await expect(openEmbeddedRegistry({ folder })).rejects.toMatchObject({ kind: "corrupt", code: "registry_damaged" });
  expect(await readFile(file())).toEqual(whole);
  await rm(file());
});

test("an unknown format and a foreign file are refused", async () => {
  await registry.close();
  const bytes = await readFile(file());
  bytes.writeUInt32BE(2, 8);
  await writeFile(file(), bytes);
  await expect(openEmbeddedRegistry({ folder })).rejects.toMatchObject({
    kind: "corrupt",
    code: "registry_format_unknown",
  });
  await writeFile(file(), "something else entirely");
  await expect(openEmbeddedRegistry({ folder })).rejects.toMatchObject({ kind: "corrupt", code: "registry_damaged" });
  await rm(file());
});

test("history is dropped when it outweighs the state", async () => {
  await registry.register("s", one);
  for (let round = 0; round < 120; round++) await registry.setCompatibility(round % 2 === 0 ? "FULL" : "NONE", "s");
  const before = (await readFile(file())).length;
  await reopen();
  expect((await readFile(file())).length).toBeLessThan(before / 10);
  expect(await registry.compatibility("s")).toBe("NONE");
  expect(await registry.byId(1)).toBe(one);
});

test("after a failed sync nothing is taken until the file is read again", async () => {
  await registry.register("s", one);
  const any = await open(file(), "r");
  const prototype = Object.getPrototypeOf(any) as typeof any;
  await any.close();
  const datasync = vi.spyOn(prototype, "datasync").mockRejectedValueOnce(new Error("EIO"));
  const failure = { kind: "unavailable", code: "registry_file_failed" };
  await expect(registry.register("s", two)).rejects.toMatchObject(failure);
  datasync.mockRestore();
  await expect(registry.register("t", one)).rejects.toMatchObject(failure);
  expect(await registry.versions("s")).toEqual([1]);
  await reopen();
  expect(await registry.register("s", two)).toMatchObject({ version: 2, id: 2 });
});

test("a closed registry says so", async () => {
  await registry.close();
  await expect(registry.register("s", one)).rejects.toMatchObject({ kind: "closed" });
  await expect(registry.byId(1)).rejects.toMatchObject({ kind: "closed" });
});

test("the file has the format that is pinned", async () => {
  const golden = new URL("../../../test/golden/schema-registry/schemas.journal", import.meta.url);
  await registry.register("events.r-value", one);
  await registry.register("events.r-value", two);
  await registry.register("événements", one);
  await registry.deleteVersion("events.r-value", 1);
  await registry.setCompatibility("FULL_TRANSITIVE", "événements");
  await registry.close();
  const written = await readFile(file());
  if (process.env["RDG_UPDATE_GOLDEN"] === "1") await writeFile(golden, written);
  expect(written.equals(await readFile(golden))).toBe(true);
  await writeFile(file(), await readFile(golden));
  registry = await openEmbeddedRegistry({ folder });
  expect(await registry.versions("events.r-value")).toEqual([2]);
  expect(await registry.compatibility("événements")).toBe("FULL_TRANSITIVE");
});
