// How the records of each topic look to people: decoded with the definition's own schema, or with the one that they were written with.
import { describeError, RdgError } from "../core/errors.ts";
import { framingBytes, schemaIdAt } from "../jobs/runner/framing.ts";
import { compileJsonDecoder, type RecordDecoder } from "../model/avro/record-decoder.ts";
import { compileResolvingDecoder } from "../model/avro/resolving-decoder.ts";
import { modelSchemas } from "../model/avro/schemas.ts";
import type { EventModel, EventSource, FieldModel, GraphModel, SideInputModel } from "../model/definition.ts";
import { decodeQuarantineRecord } from "../model/quarantine.ts";
import type { RecordView } from "../observe/topic-reader.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import { conversionsFrom } from "./source-conversions.ts";

/** The view of any record topic of the definition. */
export function recordViews(model: GraphModel, registry: SchemaRegistry): (topic: string) => RecordView {
  const schemas = new Map(modelSchemas(model).map(({ topic, schema }) => [topic, schema]));
  return (topic) => {
    const [kind, name] = [topic.slice(0, topic.indexOf(".")), topic.slice(topic.indexOf(".") + 1)];
    if (kind === "quarantine") return quarantineView;
    const declared = (kind === "events" ? model.events : model.sideInputs).find((candidate) => candidate.name === name);
    if (declared === undefined) return bytesView;
    if (declared.source !== undefined) return sourceView(declared, declared.source, registry);
    return framedView(declared.fields, declared.key, schemas.get(topic)!, registry);
  };
}

function framedView(fields: readonly FieldModel[], key: string, schema: string, registry: SchemaRegistry): RecordView {
  const decoders = new Map<number, RecordDecoder>();
  const own = compileJsonDecoder(fields);
  const decoderOf = async (schemaId: number): Promise<RecordDecoder> => {
    let decode = decoders.get(schemaId);
    if (decode === undefined) {
      const written = await registry.byId(schemaId);
      const resolve = written === schema ? undefined : compileResolvingDecoder(written, schema, fields);
      decode = resolve === undefined ? own : (bytes) => resolve(bytes);
      decoders.set(schemaId, decode);
    }
    return decode;
  };
  return async (frame, i) => {
    const rowKey =
      frame.keys === undefined ? undefined : textAt(frame.keys.bytes, frame.keys.starts[i]!, frame.keys.starts[i + 1]!);
    if (frame.nulls?.[i] === 1) return { ...(rowKey === undefined ? {} : { key: rowKey }), value: null };
    const { bytes, starts } = frame.values;
    const record = bytes.subarray(starts[i], starts[i + 1]);
    try {
      const decode = await decoderOf(schemaIdAt(record, 0, record.length));
      const value = decode(record.subarray(framingBytes));
      return { key: String(value[key]), value };
    } catch (error) {
      if (!(error instanceof RdgError)) throw error;
      return { value: { undecodable: error.message, bytes: Buffer.from(record).toString("base64") } };
    }
  };
}

/** Records of others, as the event or row that is made of them. */
function sourceView(declared: EventModel | SideInputModel, source: EventSource, registry: SchemaRegistry): RecordView {
  const find = conversionsFrom(registry, declared, source);
  const decode = compileJsonDecoder(declared.fields);
  const head = source.values === "json" ? 0 : framingBytes;
  return async (frame, i) => {
    if (frame.nulls?.[i] === 1) return { value: null };
    const { bytes, starts } = frame.values;
    const record = bytes.subarray(starts[i], starts[i + 1]);
    try {
      const convert = await find(head === 0 ? 0 : schemaIdAt(record, 0, record.length));
      const value = decode(convert(record.subarray(head)));
      return { key: String(value[declared.key]), value };
    } catch (error) {
      if (!(error instanceof RdgError)) throw error;
      return { value: { undecodable: describeError(error), bytes: Buffer.from(record).toString("base64") } };
    }
  };
}

const quarantineView: RecordView = async (frame, i) => {
  const { bytes, starts } = frame.values;
  const record = decodeQuarantineRecord(bytes.subarray(starts[i], starts[i + 1]));
  return { value: { ...record, bytes: Buffer.from(record.bytes).toString("base64") } };
};

const bytesView: RecordView = async (frame, i) => {
  const { bytes, starts } = frame.values;
  return { value: { bytes: Buffer.from(bytes.subarray(starts[i], starts[i + 1])).toString("base64") } };
};

const textAt = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.subarray(start, end)).toString("utf8");
