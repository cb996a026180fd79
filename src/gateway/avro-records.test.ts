// Records in Avro at the gateway: of the definition's own schema, of others, and what cannot be read.
import avro from "avsc";
import { describe, expect, test } from "vitest";
import { nowMs, registry, produce, stored, quarantined, problemsOf } from "../../test/gateway/shop.ts";

describe("Avro", () => {
  const framed = (id: number, bytes: Uint8Array): Buffer => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(id, 1);
    return Buffer.concat([head, bytes]);
  };
  const typeOf = (schema: string): avro.Type => avro.Type.forSchema(JSON.parse(schema), { wrapUnions: false });
  const own = async (): Promise<{ id: number; type: avro.Type }> => {
    const { id, schema } = await registry.version("events.closed-value", "latest");
    return { id, type: typeOf(schema) };
  };
  const closed = { target: { kind: "event", name: "closed" }, format: "avro" } as const;

  test("a record of the definition's own schema is stored as it is", async () => {
    const { id, type } = await own();
    const body = framed(id, type.toBuffer({ customer: "c1", at: nowMs }));
    expect(await produce(body, closed)).toMatchObject({ accepted: 1, positions: ["events.closed/0@0"] });
    expect((await stored("events.closed"))[0]!.value).toEqual(body);
  });

  test("a record of another schema is resolved to the definition's own", async () => {
    const schema =
      '{"type":"record","name":"acme.closed","fields":[{"name":"why","type":["null","string"]},{"name":"at","type":"long"},{"name":"customer","type":"bytes"}]}';
    const { id } = await registry.register("acme-value", schema);
    const body = framed(id, typeOf(schema).toBuffer({ why: "moved", at: nowMs, customer: Buffer.from("é") }));
    for (let i = 0; i < 2; i++) expect(await produce(body, closed)).toMatchObject({ accepted: 1 });
    const { id: ownId, type } = await own();
    for (const { value } of await stored("events.closed"))
      expect(value).toEqual(framed(ownId, type.toBuffer({ customer: "é", at: nowMs })));
  });

  test("what cannot be read says why", async () => {
    const { id, type } = await own();
    const { id: unfit } = await registry.register(
      "unfit-value",
      '{"type":"record","name":"closed","fields":[{"name":"customer","type":"string"}]}',
    );
    const good = type.toBuffer({ customer: "c1", at: nowMs });
    const cases: [Uint8Array, string, string?][] = [
      [Buffer.alloc(0), "bad_framing"],
      [Buffer.from([0, 0, 0]), "bad_framing"],
      [Buffer.concat([Buffer.from([1, 0, 0, 0, 1]), good]), "bad_framing"],
      [framed(4_000_000_000, good), "unknown_schema"],
      [framed(unfit, Buffer.from("0461", "hex")), "unresolvable_schema"],
      [framed(id, good.subarray(0, good.length - 1)), "bad_avro"],
      [framed(id, Buffer.concat([good, Buffer.from([0])])), "bad_avro"],
      [framed(id, Buffer.alloc(0)), "bad_avro"],
      [framed(id, Buffer.from("02ff00", "hex")), "bad_avro"],
      [framed(id, type.toBuffer({ customer: "", at: nowMs })), "bad_key", "customer"],
      [framed(id, type.toBuffer({ customer: "x".repeat(1025), at: nowMs })), "bad_key", "customer"],
      [framed(id, type.toBuffer({ customer: "c1", at: nowMs + 300_001 })), "time_in_future", "at"],
      [framed(id, type.toBuffer({ customer: "c1", at: 8.64e15 + 2 })), "bad_timestamp", "at"],
      [framed(id, Buffer.alloc(1_048_577)), "record_too_large"],
    ];
    for (const [body, code, where] of cases) {
      expect((await problemsOf(body, closed)).problems[0]).toEqual({
        index: 0,
        ...(where === undefined ? {} : { field: where }),
        code,
        reason: expect.any(String) as string,
      });
    }
    expect(await stored("events.closed")).toEqual([]);
    expect(await produce(framed(id, Buffer.from([9])), { ...closed, partial: true })).toMatchObject({
      accepted: 0,
      rejectedCount: 1,
    });
    expect((await quarantined())[0]).toMatchObject({
      code: "bad_avro",
      topic: "events.closed",
      bytes: new Uint8Array(framed(id, Buffer.from([9]))),
    });
  });

  test("doubles that are not finite are refused", async () => {
    const { id, schema } = await registry.version("events.order-value", "latest");
    const body = framed(
      id,
      typeOf(schema.replace("__proto__", "proto")).toBuffer({ customer: "c1", at: nowMs, total: Number.NaN }),
    );
    expect((await problemsOf(body, { format: "avro" })).problems[0]).toMatchObject({
      code: "not_finite",
      field: "total",
    });
  });
});
