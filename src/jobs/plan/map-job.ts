// Compiles jobs whose updates come from a user's TypeScript function (`map`): the same calls as a compiled plan, but with an object per event and update.
import { describeError, RdgError } from "../../core/errors.ts";
import { AvroWriter } from "../../model/avro/avro-writer.ts";
import { compileRecordDecoder } from "../../model/avro/record-decoder.ts";
import { compileValueEncoder } from "../../model/avro/record-encoder.ts";
import { type ConcreteUpdate, compileConcreteUpdates } from "../../model/define/concrete-update.ts";
import type { GraphModel, JobModel, PropertyModel, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { Int64, PropertySink, UpdateSink } from "../../model/update/sink.ts";
import type { CompiledJob } from "./compiled-job.ts";
import { compileJob, eventOf, type JobOptions } from "./compiler.ts";
import { badUpdate, functionFailed, malformedRecord, mapped } from "./result.ts";

/** What the user gave to `map`: any iterable of what `upsert` and `remove` return. */
export type MapFunction = (event: never) => unknown;

/**
 * The job's steps are compiled and run first; the function gets the decoded event. What it throws, and updates that do not fit the definition,
 * quarantine the event. All updates are checked before the first one is written.
 */
export function compileMapJob(model: GraphModel, job: JobModel, map: MapFunction, options: JobOptions): CompiledJob {
  const plan = compileJob(model, { ...job, output: { kind: "emit", emit: [] } }, options);
  const decode = compileRecordDecoder(eventOf(model, job).fields);
  const toUpdates = compileConcreteUpdates(model);
  let writer: UpdateWriter | undefined;
  let last: { readonly bytes: Uint8Array; readonly start: number; readonly end: number } | undefined;
  let cause = "";

  const read: CompiledJob["read"] = (bytes, start, end, receivedMs) => {
    last = { bytes, start, end };
    cause = "";
    return plan.read(bytes, start, end, receivedMs);
  };
  const refuse = (result: number, error: unknown): number => {
    cause = describeError(error);
    return result;
  };
  const emit: CompiledJob["emit"] = (sink) => {
    const result = plan.emit(sink);
    if (result !== mapped) return result;
    let event: unknown;
    try {
      event = decode(last!.bytes, last!.start, last!.end);
    } catch (error) {
      return refuse(malformedRecord, error);
    }
    let returned: unknown;
    try {
      returned = map(event as never);
    } catch (error) {
      return refuse(functionFailed, error);
    }
    let updates: ReturnType<typeof toUpdates>;
    try {
      updates = toUpdates(returned);
    } catch (error) {
      // Iterating may run the user's function further: what is no RdgError came from there.
      return refuse(error instanceof RdgError ? badUpdate : functionFailed, error);
    }
    if (writer?.sink !== sink) writer = new UpdateWriter(model, sink);
    for (const update of updates.updates) writer.write(update, plan.found.timeMs);
    plan.counts.emitted += updates.updates.length;
    plan.counts.skipped += updates.skipped;
    return mapped;
  };
  return {
    event: plan.event,
    counts: plan.counts,
    found: plan.found,
    read,
    emit,
    process(bytes, start, end, receivedMs, sink) {
      const result = read(bytes, start, end, receivedMs);
      return result === mapped ? emit(sink) : result;
    },
    explain(result) {
      if (result === functionFailed) return `The job's map function failed: ${cause}`;
      if (result === badUpdate || cause !== "") return cause;
      return plan.explain(result);
    },
    printSource: () => (job.output.kind === "map" ? job.output.source : String(map)),
  };
}

type WriteValue = (row: number, timeMs: number, value: PropertyValue) => void;

/** Writes concrete updates to one sink. */
class UpdateWriter {
  readonly sink: UpdateSink;
  private readonly text = new AvroWriter();
  /** Indexes of the node types at an edge type's ends. */
  private readonly ends: readonly { readonly from: number; readonly to: number }[];
  private readonly nodeValues: readonly (readonly WriteValue[])[];
  private readonly edgeValues: readonly (readonly WriteValue[])[];

  constructor(model: GraphModel, sink: UpdateSink) {
    this.sink = sink;
    const typeOf = (name: string): number => model.nodes.findIndex((node) => node.name === name);
    this.ends = model.edges.map(({ from, to }) => ({ from: typeOf(from), to: typeOf(to) }));
    this.nodeValues = model.nodes.map(({ properties }, i) => this.writers(properties, sink.nodes[i]!.properties));
    this.edgeValues = model.edges.map(({ properties }, i) => this.writers(properties, sink.edges[i]!.properties));
  }

  private writers(properties: readonly PropertyModel[], sinks: readonly PropertySink[]): WriteValue[] {
    return properties.map((property, i) => valueWriter(property, sinks[i]!, this.text));
  }

  write(update: ConcreteUpdate, timeMs: number): void {
    switch (update.kind) {
      case "upsertNode": {
        const row = this.sink.nodes[update.type]!.upsert(this.intern(update.type, update.id), timeMs);
        return writeValues(this.nodeValues[update.type]!, row, timeMs, update.properties);
      }
      case "removeNode":
        return this.sink.nodes[update.type]!.remove(this.intern(update.type, update.id), timeMs);
      case "upsertEdge": {
        const { from, to } = this.ends[update.type]!;
        const edges = this.sink.edges[update.type]!;
        const row = edges.upsert(this.intern(from, update.from), this.intern(to, update.to), timeMs);
        return writeValues(this.edgeValues[update.type]!, row, timeMs, update.properties);
      }
      case "removeEdge": {
        const { from, to } = this.ends[update.type]!;
        return this.sink.edges[update.type]!.remove(this.intern(from, update.from), this.intern(to, update.to), timeMs);
      }
    }
  }

  private intern(nodeType: number, id: string): number {
    this.text.reset();
    const start = writeText(this.text, id);
    return this.sink.nodes[nodeType]!.intern(this.text.bytes, start, this.text.length);
  }
}

function writeValues(
  writers: readonly WriteValue[],
  row: number,
  timeMs: number,
  values: readonly PropertyValue[],
): void {
  for (const [i, value] of values.entries()) if (value !== undefined) writers[i]!(row, timeMs, value);
}

/** Appends the text; returns where its bytes begin, behind their length. */
function writeText(writer: AvroWriter, text: string): number {
  const before = writer.length;
  writer.text(text);
  let start = before;
  while (writer.bytes[start]! > 127) start++;
  return start + 1;
}

function valueWriter(property: PropertyModel, sink: PropertySink, text: AvroWriter): WriteValue {
  const { type } = property;
  const toNumber = numberOf(type);
  const toBytes = bytesWriter(type, text);
  switch (sink.form) {
    case "number":
      return (row, timeMs, value) =>
        value === null ? sink.setNull(row, timeMs) : sink.set(row, timeMs, toNumber(value));
    case "int64":
      return (row, timeMs, value) =>
        value === null ? sink.setNull(row, timeMs) : sink.set(row, timeMs, value as Int64);
    case "bytes":
      return (row, timeMs, value) => {
        if (value === null) return sink.setNull(row, timeMs);
        const start = toBytes(value);
        sink.set(row, timeMs, text.bytes, start, text.length);
      };
    case "counter":
      return (row, _, value) => sink.add(row, value as Int64);
    case "set":
      return (row, _, value) => {
        for (const item of value as readonly PropertyValue[]) {
          if (item === null) sink.addNull(row);
          else if (type.kind === "int64") sink.addInt64(row, item as Int64);
          else if (type.kind === "string" || type.kind === "bytes")
            sink.addBytes(row, text.bytes, toBytes(item), text.length);
          else sink.addNumber(row, toNumber(item));
        }
      };
  }
}

function numberOf(type: ValueType): (value: PropertyValue) => number {
  if (type.kind === "boolean") return (value) => (value === true ? 1 : 0);
  if (type.kind !== "enum") return (value) => value as number;
  const indexes = new Map(type.symbols.map((symbol, index) => [symbol, index]));
  return (value) => indexes.get(value as string)!;
}

/** Writes the value from the writer's beginning; returns where its bytes begin. */
function bytesWriter(type: ValueType, writer: AvroWriter): (value: PropertyValue) => number {
  if (type.kind === "string") {
    return (value) => {
      writer.reset();
      return writeText(writer, value as string);
    };
  }
  const encode = compileValueEncoder(type);
  return (value) => {
    writer.reset();
    encode(value, writer);
    if (type.kind !== "bytes") return 0;
    let start = 0;
    while (writer.bytes[start]! > 127) start++;
    return start + 1;
  };
}
