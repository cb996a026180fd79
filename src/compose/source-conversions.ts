// Reads records of a topic that a team already has as an event: by the registry's schemas, or as JSON texts.
import { RdgError } from "../core/errors.ts";
import type { Convert, FindConversion } from "../jobs/runner/framing.ts";
import { AvroWriter } from "../model/avro/avro-writer.ts";
import { compileRecordValidator } from "../model/avro/json-record.ts";
import { compileRecordEncoder } from "../model/avro/record-encoder.ts";
import { type AvroNode, parseAvroSchema } from "../model/avro/schema-tree.ts";
import { compileSourceReader } from "../model/avro/source-record.ts";
import type { EventModel, EventSource } from "../model/definition.ts";
import { sourcePicker, sourceShape } from "../model/source-shape.ts";
import type { SchemaRegistry } from "../schemas/port.ts";

/** Conversions to the event's own form. One that cannot be is remembered as failing, so that its records are quarantined. */
export function conversionsFrom(registry: SchemaRegistry, event: EventModel, source: EventSource): FindConversion {
  const encode = encoderOf(event, source);
  if (source.values === "json") return async () => (bytes) => encode(parseJson(bytes));
  const shape = sourceShape(event.fields, source);
  let pinned: Promise<AvroNode> | undefined;
  const readerOf = async (): Promise<AvroNode | undefined> => {
    if (source.version === undefined) return undefined;
    pinned ??= registry
      .version(source.subject!, source.version, { deleted: true })
      .then(({ schema }) => parseAvroSchema(schema).root);
    try {
      return await pinned;
    } catch (error) {
      pinned = undefined;
      throw error;
    }
  };
  return async (schemaId) => {
    try {
      const writer = parseAvroSchema(await registry.byId(schemaId)).root;
      const { read } = compileSourceReader(shape, (await readerOf()) ?? writer, writer);
      return (bytes) => encode(read(bytes, 0, bytes.length));
    } catch (error) {
      if (!(error instanceof RdgError) || (error.kind !== "not_found" && error.kind !== "invalid")) throw error;
      return () => {
        throw error;
      };
    }
  };
}

function encoderOf({ fields, key }: EventModel, source: EventSource): (value: unknown) => Uint8Array {
  const pick = sourcePicker(fields, source);
  const validate = compileRecordValidator(fields, key);
  const encode = compileRecordEncoder(fields);
  const writer = new AvroWriter();
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new RdgError("invalid", "invalid_record", "The record is not valid: it is no object.");
    }
    const event = pick(value);
    const [problem] = validate(event);
    if (problem !== undefined) {
      throw new RdgError("invalid", "invalid_record", `The record is not valid: ${problem.reason}.`, {
        place: problem.field,
        hint: "Change the definition where such records are meant to come.",
      });
    }
    writer.reset();
    encode(event, writer);
    return writer.copy();
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

const parseJson = (bytes: Parameters<Convert>[0]): unknown => {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    throw new RdgError("invalid", "bad_json", "The record is not JSON in UTF-8.", { cause });
  }
};
