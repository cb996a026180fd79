// What it costs to read a record of a team's own topic as an event: Avro by its schema, and JSON.  node --conditions=rdg-source bench/source-records.ts
import avro from "avsc";
import { conversionsFrom } from "../src/compose/source-conversions.ts";
import { event, t } from "../src/index.ts";
import type { SchemaRegistry } from "../src/schemas/port.ts";

const count = 300_000;
const schema = {
  type: "record",
  name: "com.shop.Order",
  fields: [
    { name: "order_id", type: "long" },
    { name: "buyer", type: { type: "record", name: "Buyer", fields: [{ name: "email", type: "string" }] } },
    { name: "placed", type: { type: "long", logicalType: "timestamp-micros" } },
    { name: "total", type: { type: "bytes", logicalType: "decimal", precision: 12, scale: 2 } },
    { name: "state", type: { type: "enum", name: "State", symbols: ["NEW", "PAID"] } },
    { name: "note", type: ["null", "string"] },
    { name: "trace", type: { type: "map", values: "string" } },
  ],
};
const fields = {
  order_id: t.string(),
  placed: t.timestamp(),
  total: t.string(),
  state: t.enum("NEW", "PAID"),
  email: t.string(),
};
const options = { key: "order_id", time: "placed", fields } as const;
const fromAvro = event("a", { ...options, from: { topic: "orders", paths: { email: "buyer.email" } } });
const fromJson = event("j", { ...options, from: { topic: "orders", values: "json", paths: { email: "buyer.email" } } });
const registry = { byId: async () => JSON.stringify(schema) } as unknown as SchemaRegistry;

const encoder = avro.Type.forSchema(schema as avro.Schema, { logicalTypes: {} });
const value = {
  order_id: 123_456,
  buyer: { email: "somebody@example.com" },
  placed: 1_795_305_608_461_000,
  total: Buffer.from([0x01, 0x02, 0x03]),
  state: "PAID",
  note: "a note of some length",
  trace: { id: "4bf92f3577b34da6a3ce929d0e0e4736" },
};
const text = { ...value, order_id: "123456", placed: 1_795_305_608_461, total: "660.51" };
const records = { avro: encoder.toBuffer(value), json: Buffer.from(JSON.stringify(text)) };

for (const round of ["warm-up", "measured"]) {
  for (const [kind, { model }] of [
    ["avro", fromAvro],
    ["json", fromJson],
  ] as const) {
    const convert = await conversionsFrom(registry, model, model.source!)(1);
    const before = process.cpuUsage();
    for (let i = 0; i < count; i++) convert(records[kind]);
    const { user, system } = process.cpuUsage(before);
    const each = (user + system) / count;
    if (round === "measured") console.log(`${kind}: ${each.toFixed(2)} us of CPU, ${records[kind].length} bytes`);
  }
}
