// Declarations are schemas by the Standard Schema interface (standardschema.dev, version 1), so that form and RPC libraries can validate with them.
import { AvroWriter } from "../avro/avro-writer.ts";
import { compileRecordValidator, type FieldProblem, type RecordValidator } from "../avro/json-record.ts";
import { compileRecordDecoder, type RecordDecoder } from "../avro/record-decoder.ts";
import { compileRecordEncoder, type RecordEncoder } from "../avro/record-encoder.ts";
import type { FieldModel } from "../definition.ts";

export interface StandardSchema<Input, Output> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: "rdg";
    readonly validate: (value: unknown) => StandardResult<Output>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly PropertyKey[] }[] };

/** Valid values come back as a job would see them: times as Dates, int64 as bigint. */
export function standardSchema<Input, Output>(
  fields: readonly FieldModel[],
  key?: string,
): StandardSchema<Input, Output>["~standard"] {
  let codec: { validate: RecordValidator; encode: RecordEncoder; decode: RecordDecoder } | undefined;
  return Object.freeze({
    version: 1 as const,
    vendor: "rdg" as const,
    validate(value: unknown): StandardResult<Output> {
      codec ??= {
        validate: compileRecordValidator(fields, key),
        encode: compileRecordEncoder(fields),
        decode: compileRecordDecoder(fields),
      };
      const problems = codec.validate(value);
      if (problems.length > 0) return { issues: problems.map(issueOf) };
      const writer = new AvroWriter();
      codec.encode(value, writer);
      return { value: codec.decode(writer.bytes, 0, writer.length) as Output };
    },
  });
}

function issueOf({ field, code, reason, path }: FieldProblem): { message: string; path: readonly PropertyKey[] } {
  return { message: `${field === "" ? "" : `${field}: `}${reason} (${code})`, path };
}
