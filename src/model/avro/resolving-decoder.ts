// Decodes records that were written with another schema: read by Avro's schema resolution, checked, and shaped as the definition's own decoder shapes them.
import { RdgError } from "../../core/errors.ts";
import type { FieldModel } from "../definition.ts";
import { AvroWriter } from "./avro-writer.ts";
import { compileForeignRecordReader } from "./foreign-record.ts";
import { compileRecordValidator } from "./json-record.ts";
import { compileRecordDecoder, type RecordDecoder } from "./record-decoder.ts";
import { compileRecordEncoder } from "./record-encoder.ts";

/**
 * @param ownSchema the definition's schema of `fields`
 * @returns a decoder that throws RdgError invalid, `bad_avro` or `invalid_record`
 * @throws RdgError invalid, `unresolvable_schema` where no record of the writer's schema can be read
 */
export function compileResolvingDecoder(
  writerSchema: string,
  ownSchema: string,
  fields: readonly FieldModel[],
): RecordDecoder {
  const read = compileForeignRecordReader(fields, ownSchema, writerSchema);
  const validate = compileRecordValidator(fields);
  const encode = compileRecordEncoder(fields);
  const decode = compileRecordDecoder(fields);
  const writer = new AvroWriter();
  return (bytes, start = 0, end = bytes.length) => {
    const value = read(bytes, start, end);
    const [problem] = validate(value);
    if (problem !== undefined) {
      throw new RdgError("invalid", "invalid_record", `The record is not valid: ${problem.reason}.`, {
        place: problem.field,
        hint: "It was written with another schema, whose values this definition does not allow.",
      });
    }
    writer.reset();
    encode(value, writer);
    return decode(writer.bytes, 0, writer.length);
  };
}
