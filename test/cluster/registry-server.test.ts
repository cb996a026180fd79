// The registries of the tests serve: what one of Confluent's clients registers another finds, with ours and with Apicurio.
import { SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry";
import { expect, test } from "vitest";
import { startRegistry } from "./servers.ts";
import { sharedApicurio, uniqueName } from "./shared.ts";

const schema = JSON.stringify({
  type: "record",
  name: "Order",
  namespace: "shop",
  fields: [{ name: "id", type: "string" }],
});

test("RDG's registry", async () => {
  const registry = await startRegistry();
  try {
    await registersAndFinds(registry.url);
  } finally {
    await registry.stop();
  }
});

test("Apicurio", async () => {
  const { url } = await sharedApicurio();
  await registersAndFinds(url);
});

async function registersAndFinds(url: string): Promise<void> {
  const subject = `${uniqueName("orders")}-value`;
  const { id } = await new SchemaRegistry({ host: url }).register({ type: SchemaType.AVRO, schema }, { subject });
  const other = new SchemaRegistry({ host: url });
  expect(await other.getLatestSchemaId(subject)).toBe(id);
  expect(await other.decode(await other.encode(id, { id: "o1" }))).toEqual({ id: "o1" });
}
