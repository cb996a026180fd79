// Reads records of a topic that a team already has as an event or as the row of a side input: by the registry's schemas, or as JSON texts.
import { RdgError } from "../core/errors.ts";
import type { Convert, FindConversion } from "../jobs/runner/framing.ts";
import type { ConvertRow, FindRowConversion } from "../jobs/runner/source-rows.ts";
import { AvroWriter } from "../model/avro/avro-writer.ts";
import { compileRecordValidator } from "../model/avro/json-record.ts";
import { compileRecordEncoder } from "../model/avro/record-encoder.ts";
import { type AvroNode, parseAvroSchema } from "../model/avro/schema-tree.ts";
import { compileSourceReader } from "../model/avro/source-record.ts";
import type { EventModel, EventSource, SideInputModel } from "../model/definition.ts";
import { sourcePicker, sourceShape } from "../model/source-shape.ts";
import type { SchemaRegistry } from "../schemas/port.ts";

type Declared = Pick<EventModel | SideInputModel, "fields" | "key">;

/** Conversions to the event's own form. One that cannot be is remembered as failing, so that its records are quarantined. */
export function conversionsFrom(registry: SchemaRegistry, event: Declared, source: EventSource): FindConversion {
  const find = readersOf(registry, event, source);
  const encode = encoderOf(event);
  return async (schemaId) => {
    const read = await find(schemaId);
    return (bytes) => encode(read(bytes));
  };
}

/** The same for rows of a side input. */
export function rowConversionsFrom(
  registry: SchemaRegistry,
  input: SideInputModel,
  source: EventSource,
): FindRowConversion {
  const find = readersOf(registry, input, source);
  const encode = encoderOf(input);
  return async (schemaId): Promise<ConvertRow> => {
    const read = await find(schemaId);
    return (bytes) => {
      const row = read(bytes);
      return { key: Buffer.from(row[input.key] as string), row: encode(row) };
    };
  };
}

type Read = (bytes: Parameters<Convert>[0]) => Record<string, unknown>;

/** @throws RdgError invalid, from what is found, where the record does not fit what is declared */
function readersOf(
  registry: SchemaRegistry,
  declared: Declared,
  source: EventSource,
): (schemaId: number) => Promise<Read> {
  const fit = fittingOf(declared, source);
  if (source.values === "json") return async () => (bytes) => fit(parseJson(bytes));
  const shape = sourceShape(declared.fields, source);
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
      return (bytes) => fit(read(bytes, 0, bytes.length));
    } catch (error) {
      if (!(error instanceof RdgError) || (error.kind !== "not_found" && error.kind !== "invalid")) throw error;
      return () => {
        throw error;
      };
    }
  };
}

function encoderOf({ fields }: Declared): (record: Record<string, unknown>) => Uint8Array {
  const encode = compileRecordEncoder(fields);
  const writer = new AvroWriter();
  return (record) => {
    writer.reset();
    encode(record, writer);
    return writer.copy();
  };
}

/** Takes what is declared out of a record, and checks it. */
function fittingOf({ fields, key }: Declared, source: EventSource): (value: unknown) => Record<string, unknown> {
  const pick = sourcePicker(fields, source);
  const validate = compileRecordValidator(fields, key);
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new RdgError("invalid", "invalid_record", "The record is not valid: it is no object.");
    }
    const record = pick(value);
    const [problem] = validate(record);
    if (problem !== undefined) {
      throw new RdgError("invalid", "invalid_record", `The record is not valid: ${problem.reason}.`, {
        place: problem.field,
        hint: "Change the definition where such records are meant to come.",
      });
    }
    return record;
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
