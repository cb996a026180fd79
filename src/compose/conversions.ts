// Reads records that were written with another schema than the definition's own: looked up in the registry, resolved, written anew.
import { RdgError } from "../core/errors.ts";
import type { FindConversion } from "../jobs/runner/framing.ts";
import { AvroWriter } from "../model/avro/avro-writer.ts";
import { compileRecordEncoder } from "../model/avro/record-encoder.ts";
import { compileResolvingDecoder } from "../model/avro/resolving-decoder.ts";
import type { FieldModel } from "../model/definition.ts";
import type { SchemaRegistry } from "../schemas/port.ts";

/** Conversions to the schema of these fields. One that cannot be is remembered as failing, so that its records are quarantined. */
export function conversionsTo(
  registry: SchemaRegistry,
  fields: readonly FieldModel[],
  ownSchema: string,
): FindConversion {
  const encode = compileRecordEncoder(fields);
  const writer = new AvroWriter();
  return async (schemaId) => {
    try {
      const decode = compileResolvingDecoder(await registry.byId(schemaId), ownSchema, fields);
      return (bytes) => {
        writer.reset();
        encode(decode(bytes), writer);
        return writer.copy();
      };
    } catch (error) {
      if (error instanceof RdgError && (error.kind === "not_found" || error.kind === "invalid")) {
        return () => {
          throw error;
        };
      }
      throw error;
    }
  };
}
