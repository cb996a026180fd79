// Registers the schemas of all topics of a definition, so that every record that refers to them can be read by anybody.
import { modelSchemas } from "../model/avro/schemas.ts";
import type { GraphModel } from "../model/definition.ts";
import type { RegisteredSchema, SchemaRegistry } from "./port.ts";

/** By subject (`<topic>-value`). @throws RdgError conflict, `incompatible_schema`, naming the subject and the differences */
export async function registerModel(
  registry: SchemaRegistry,
  model: GraphModel,
): Promise<ReadonlyMap<string, RegisteredSchema>> {
  const registered = new Map<string, RegisteredSchema>();
  for (const { subject, schema } of modelSchemas(model)) {
    registered.set(subject, await registry.register(subject, schema));
  }
  return registered;
}
