// The schemas of the Avro project's own tests, imported: each becomes a definition, whose records a foreign codec (avsc) writes and reads, or is refused with a reason.
import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import avro from "avsc";
import { expect, test } from "vitest";
import { RdgError } from "../../src/core/errors.ts";
import { event, t } from "../../src/index.ts";
import { AvroWriter } from "../../src/model/avro/avro-writer.ts";
import { compileRecordValidator } from "../../src/model/avro/json-record.ts";
import { compileRecordEncoder } from "../../src/model/avro/record-encoder.ts";
import { type AvroNode, parseAvroSchema } from "../../src/model/avro/schema-tree.ts";
import { eventSchema } from "../../src/model/avro/schemas.ts";
import { compileSourceReader } from "../../src/model/avro/source-record.ts";
import type { EventModel, FieldModel, ValueType } from "../../src/model/definition.ts";
import { sourcePicker } from "../../src/model/source-shape.ts";
import { importSchema } from "../../src/schemas/import-schema.ts";
import { renderEvent } from "../../src/schemas/render-event.ts";

interface Entry {
  readonly from: string;
  readonly schema: string;
  readonly valid?: false;
}

const corpus = JSON.parse(readFileSync(new URL("../avro/corpus/schemas.json", import.meta.url), "utf8")) as {
  readonly schemas: readonly Entry[];
};
const recordsEach = 20;

test("every schema is imported, or refused with a reason", async () => {
  const outcomes = corpus.schemas.map(({ from, schema, valid }) => {
    const outcome = outcomeOf(schema);
    return `${from}${valid === false ? " (invalid by Avro's tests)" : ""}\n  ${outcome.replaceAll(/\s+/g, " ")}\n`;
  });
  await expect(outcomes.join("")).toMatchFileSnapshot("../avro/corpus/outcomes.txt");
});

test("what Avro's tests expect to be refused is no schema here either", () => {
  const taken = corpus.schemas.filter(({ schema, valid }) => valid === false && isSchema(schema));
  expect(taken.map(({ from }) => from)).toEqual([]);
});

const imported = corpus.schemas.flatMap(({ from, schema }, i) => {
  if (!isSchema(schema)) return [];
  const whole = asRecord(schema);
  const root = parseAvroSchema(whole).root;
  const { fields, refusals } = importSchema(root);
  return refusals.length > 0 ? [] : [{ name: `${i} ${from}`, whole, root, fields }];
});

/** avsc takes no type that is called like a primitive, in whatever namespace. */
const foreignReadable = imported.filter(({ whole }) => !/"ns\.int"|"name": ?"int"/.test(whole));

test("most are imported", () => {
  expect(imported.length).toBeGreaterThan(corpus.schemas.length / 2);
});

test.each(foreignReadable)(
  "records by $name are read as avsc writes them, and avsc reads what becomes of them",
  ({ whole, root, fields }) => {
    const foreign = foreignType(whole);
    const { read, findings } = compileSourceReader(fields, root, root);
    expect(findings.filter(({ unreadable }) => unreadable !== "none")).toEqual([]);
    const pick = sourcePicker(fields, {});
    const validate = compileRecordValidator(fields);
    const encode = compileRecordEncoder(fields);
    const own = avro.Type.forSchema(
      JSON.parse(eventSchema({ name: "e", fields } as unknown as EventModel)) as avro.Schema,
      {
        wrapUnions: true,
      },
    );
    let valid = 0;
    for (let i = 0; i < recordsEach; i++) {
      const value: unknown = foreign.random();
      const bytes = foreign.toBuffer(value);
      const event = pick(read(bytes, 0, bytes.length));
      const expected = oracle({ kind: "record", fields }, root, value, false);
      expect(plain(event)).toEqual(plain(expected));
      // Times out of range are refused record by record.
      if (validate(event).length > 0) continue;
      valid++;
      const writer = new AvroWriter();
      encode(event, writer);
      const back: unknown = own.fromBuffer(Buffer.from(writer.copy()));
      expect(plain(unwrapped({ kind: "record", fields }, back))).toEqual(plain(event));
    }
    if (!/timestamp|date/.test(whole)) expect(valid).toBe(recordsEach);
  },
);

test.each(imported)("the definition by $name is one, with the same fields", ({ fields }) => {
  const source = { origin: "test", record: "R", topic: "r" };
  const { text, missing } = renderEvent(fields, source, { kind: "event", name: "it" });
  const body = text.replace(/^import .*$/m, "").replace(/^export const \w+ = /m, "result = ");
  const scope: { result?: unknown } & Record<string, unknown> = { event, t };
  runInNewContext(body, scope);
  const model =
    missing.length === 0
      ? (scope.result as { model: EventModel }).model
      : event("it", {
          fields: { ...(scope.result as object), eventKey: t.string(), eventTime: t.timestamp() } as never,
          key: "eventKey" as never,
          time: "eventTime" as never,
        }).model;
  const got = missing.length === 0 ? model.fields : model.fields.slice(0, -2);
  const lifted = new Set(missing.length === 0 ? [model.key, model.time] : []);
  const bare = (list: readonly FieldModel[]): unknown =>
    JSON.parse(
      JSON.stringify(
        list.filter(({ name }) => !lifted.has(name)),
        (name, value: unknown) => (name === "comments" ? undefined : value),
      ),
    );
  expect(bare(got)).toEqual(bare(fields));
});

function isSchema(schema: string): boolean {
  try {
    parseAvroSchema(schema);
    return true;
  } catch (error) {
    if (error instanceof RdgError && error.code === "invalid_schema") return false;
    throw error;
  }
}

/** What is no record becomes the one field of one: so all types are run. */
function asRecord(schema: string): string {
  if (parseAvroSchema(schema).root.kind === "record") return schema;
  return `{"type":"record","name":"holder.Holder","namespace":"","fields":[{"name":"held","type":${schema}}]}`;
}

function outcomeOf(schema: string): string {
  try {
    const held = asRecord(schema) !== schema;
    const { fields, refusals } = importSchema(parseAvroSchema(asRecord(schema)).root);
    const as = held ? " (as a field)" : "";
    if (refusals.length === 0)
      return `imported${as}: ${fields
        .map((field) => field.name)
        .join(", ")
        .slice(0, 120)}`;
    return `refused${as}: ${refusals.map(({ place, code, reason }) => `${place}: ${reason} [${code}]`).join("; ")}`;
  } catch (error) {
    if (error instanceof RdgError) return `no schema: ${error.place ?? ""}: ${error.message.slice(0, 160)}`;
    throw error;
  }
}

function foreignType(schema: string): avro.Type {
  // avsc knows no errors outside of protocols, and no namespace that is null.
  const text = schema
    .replaceAll('"type":"error"', '"type":"record"')
    .replaceAll(/"type": ?"error"/g, '"type":"record"')
    .replaceAll('"namespace":null', '"namespace":""');
  return avro.Type.forSchema(JSON.parse(text) as avro.Schema, { wrapUnions: true, logicalTypes: {} });
}

type Union = Extract<AvroNode, { kind: "union" }>;

/** What a value of avsc's must be read as: the naive twin of the reader. */
function oracle(type: ValueType, node: AvroNode, value: unknown, isItem: boolean): unknown {
  if (node.kind === "union") return unionOracle(type, node, value as Record<string, unknown> | null, isItem);
  if (type.kind === "record" && node.kind === "record") {
    return Object.fromEntries(
      type.fields.map((field) => {
        const inner = node.fields.find(({ name }) => name === field.name)!;
        return [field.name, oracle(field.type, inner.type, (value as Record<string, unknown>)[field.name], false)];
      }),
    );
  }
  if (type.kind === "array" && node.kind === "array") {
    return (value as readonly unknown[]).map((item) => oracle(type.item, node.items, item, true));
  }
  if (type.kind === "map" && node.kind === "map") {
    const entries = Object.entries(value as Record<string, unknown>);
    return Object.fromEntries(entries.map(([name, item]) => [name, oracle(type.value, node.values, item, true)]));
  }
  const logical = "logical" in node ? node.logical : undefined;
  if (type.kind === "timestamp") {
    const count = BigInt(value as number);
    if (logical?.name === "date") return Number(count) * 86_400_000;
    const divisor = logical?.name.endsWith("micros") ? 1e3 : logical?.name.endsWith("nanos") ? 1e6 : 1;
    return Math.floor(Number(count) / divisor);
  }
  if (logical?.name === "decimal" && type.kind === "string") return decimalOracle(value as Uint8Array, logical.scale);
  if (logical?.name === "uuid" && node.kind === "fixed") {
    return Buffer.from(value as Uint8Array)
      .toString("hex")
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }
  return node.kind === "float" ? Math.fround(value as number) : value;
}

function unionOracle(type: ValueType, node: Union, value: Record<string, unknown> | null, isItem: boolean): unknown {
  const types = node.branches.filter(({ kind }) => kind !== "null");
  const several = types.length > 1 || (isItem && types.length < node.branches.length);
  if (value === null) return several && isItem ? {} : undefined;
  const [[name, held]] = Object.entries(value) as [[string, unknown]];
  const branch = types.find((candidate) => ("name" in candidate ? candidate.name : candidate.kind) === name)!;
  if (!several) return oracle(type, branch, held, isItem);
  const short = name.slice(name.lastIndexOf(".") + 1);
  const fields = (type as Extract<ValueType, { kind: "record" }>).fields;
  const field =
    fields.find((candidate) => candidate.name === short) ??
    fields.find((candidate) => candidate.name === name.replaceAll(".", "_"))!;
  return { [field.name]: oracle(field.type, branch, held, false) };
}

function decimalOracle(bytes: Uint8Array, scale: number): string {
  const hex = Buffer.from(bytes).toString("hex");
  const unscaled = hex === "" ? 0n : BigInt.asIntN(4 * hex.length, BigInt(`0x${hex}`));
  const text = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  const cut = text.length - scale;
  return `${unscaled < 0n ? "-" : ""}${text.slice(0, cut)}${scale > 0 ? "." : ""}${text.slice(cut)}`;
}

/** avsc wraps what is optional. */
function unwrapped(type: ValueType, value: unknown): unknown {
  if (type.kind === "array") return (value as readonly unknown[]).map((item) => unwrapped(type.item, item));
  if (type.kind === "map") {
    const entries = Object.entries(value as Record<string, unknown>);
    return Object.fromEntries(entries.map(([name, item]) => [name, unwrapped(type.value, item)]));
  }
  if (type.kind !== "record") return value;
  return Object.fromEntries(
    type.fields.map(({ name, type: inner, optional }) => {
      const held = (value as Record<string, unknown>)[name];
      if (held === null || held === undefined) return [name, undefined];
      return [name, unwrapped(inner, optional ? Object.values(held)[0] : held)];
    }),
  );
}

/** Without what is absent, in a form that two codecs agree on. */
function plain(value: unknown): unknown {
  const replacer = (_: string, inner: unknown): unknown => {
    if (inner === null) return undefined;
    if (typeof inner === "bigint") return Number(inner);
    if (typeof inner === "number" && Object.is(inner, -0)) return 0;
    return inner instanceof Uint8Array ? Buffer.from(inner).toString("hex") : inner;
  };
  // Buffers have a form of their own in JSON, made before the replacer sees them.
  const bytes = (inner: unknown): unknown => {
    if (inner instanceof Uint8Array) return Buffer.from(inner).toString("hex");
    if (Array.isArray(inner)) return inner.map(bytes);
    if (typeof inner !== "object" || inner === null) return inner;
    return Object.fromEntries(Object.entries(inner).map(([name, one]) => [name, bytes(one)]));
  };
  return JSON.parse(JSON.stringify(bytes(value), replacer)) as unknown;
}
