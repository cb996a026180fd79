// What a whole line must have made of the records that are in its log: every plan interpreted record by record, every update kept, the graph stated over all of them.
import { decodeRecord, type RecordValue } from "../../src/jobs/plan/decode.ts";
import { interpretJob, type PlainUpdate } from "../../src/jobs/plan/interpreter.ts";
import type { LogReader } from "../../src/log/port.ts";
import { AvroWriter } from "../../src/model/avro/avro-writer.ts";
import { compileValueEncoder } from "../../src/model/avro/record-encoder.ts";
import type { FieldModel, GraphModel, JobModel, PropertyModel } from "../../src/model/definition.ts";
import type { PropertyValue } from "../../src/model/filter.ts";
import type { ElementKey, Update } from "../../src/model/update/element.ts";
import { isOpaque, valueOfAvro } from "../../src/model/update/opaque-value.ts";
import { type ElementGraph, elementOf, keyOf, presentLife, visibleGraph } from "../../src/model/update/oracle.ts";
import type { PlainEdge, PlainGraph, PlainNode } from "../../src/testing/reference-traversal.ts";

export interface StoredEvent {
  readonly offset: number;
  readonly receivedMs: number;
  readonly value: RecordValue;
}

export interface StoredRow {
  readonly key: string;
  readonly recordMs: number;
  /** Undefined: the key was removed. */
  readonly value: RecordValue | undefined;
}

/** What a log holds: events by name and partition, rows by side input, in order. */
export interface Stored {
  readonly events: ReadonlyMap<string, readonly (readonly StoredEvent[])[]>;
  readonly rows: ReadonlyMap<string, readonly StoredRow[]>;
}

/** The fields that a record of `topic` was written with. */
export type FieldsOf = (topic: string, schemaId: number) => readonly FieldModel[];

export async function storedIn(log: LogReader, model: GraphModel, fieldsOf: FieldsOf): Promise<Stored> {
  const events = new Map<string, StoredEvent[][]>();
  for (const { name, partitions } of model.events)
    events.set(
      name,
      Array.from({ length: partitions }, () => []),
    );
  const rows = new Map<string, StoredRow[]>(model.sideInputs.map(({ name }) => [name, []]));
  const topics = [
    ...model.events.map(({ name }) => `events.${name}`),
    ...model.sideInputs.map(({ name }) => `inputs.${name}`),
  ];
  for await (const frame of log.read({ topics, until: [] })) {
    const { topic, partition, firstOffset, timestampMs, values, keys } = frame;
    const name = topic.slice(topic.indexOf(".") + 1);
    for (let i = 0; i < frame.count; i++) {
      const bytes = Buffer.from(values.bytes.buffer, values.bytes.byteOffset, values.bytes.byteLength);
      const [start, end] = [values.starts[i]!, values.starts[i + 1]!];
      const decode = (): RecordValue =>
        decodeRecord(fieldsOf(topic, bytes.readUInt32BE(start + 1)), bytes, start + 5, end);
      if (keys === undefined) {
        const offset = firstOffset + (frame.offsets?.[i] ?? i);
        events.get(name)![partition]!.push({ offset, receivedMs: timestampMs, value: decode() });
      } else {
        const key = Buffer.from(keys.bytes.subarray(keys.starts[i], keys.starts[i + 1])).toString();
        rows.get(name)!.push({ key, recordMs: timestampMs, value: frame.nulls?.[i] === 1 ? undefined : decode() });
      }
    }
  }
  return { events, rows };
}

export interface ExpectedCounts {
  received: number;
  filtered: number;
  deduplicated: number;
  quarantined: number;
  mapped: number;
  skipped: number;
  emitted: number;
}

export interface Expected {
  readonly updates: readonly Update[];
  /** By event, per partition. */
  readonly counts: ReadonlyMap<string, readonly ExpectedCounts[]>;
}

/** What the jobs make of the events. */
export function expectedOf(model: GraphModel, { events, rows }: Stored): Expected {
  const updates: Update[] = [];
  const counts = new Map<string, readonly ExpectedCounts[]>();
  const findRow = (input: string, key: string, receivedMs: number): RecordValue | undefined =>
    rows.get(input)!.findLast((row) => row.key === key && row.recordMs <= receivedMs)?.value;
  for (const job of model.jobs) {
    const perPartition = events.get(job.event)!.map((stored) => {
      const { counts: own, updates: more } = runJob(model, job, stored, findRow);
      updates.push(...more);
      return own;
    });
    counts.set(job.event, perPartition);
  }
  return { updates, counts };
}

type FindRow = (input: string, key: string, receivedMs: number) => RecordValue | undefined;

function runJob(
  model: GraphModel,
  job: JobModel,
  stored: readonly StoredEvent[],
  findRow: FindRow,
): { readonly counts: ExpectedCounts; readonly updates: readonly Update[] } {
  const { id, time, dedupHorizonMs } = model.events.find(({ name }) => name === job.event)!;
  const updates: Update[] = [];
  const counts = { received: 0, filtered: 0, deduplicated: 0, quarantined: 0, mapped: 0, skipped: 0, emitted: 0 };
  const accepted = new Map<string, number>();
  for (const { value, receivedMs } of stored) {
    counts.received++;
    const eventId = id === undefined ? undefined : (value[id] as string | undefined);
    // What is from the future is not remembered: it was never accepted.
    if (eventId !== undefined && (value[time] as number) <= receivedMs + model.skewMaxMs) {
      if (receivedMs - (accepted.get(eventId) ?? -Infinity) < dedupHorizonMs) {
        counts.deduplicated++;
        continue;
      }
      accepted.set(eventId, receivedMs);
    }
    const done = interpretJob(model, job, value, receivedMs, (input, key) => findRow(input, key, receivedMs));
    counts[done.kind]++;
    if (done.kind !== "mapped") continue;
    counts.skipped += done.skipped;
    counts.emitted += done.updates.length;
    updates.push(...done.updates.map((update) => updateOf(model, update)));
  }
  return { counts, updates };
}

function updateOf(model: GraphModel, { kind, type, ids, timeMs, properties }: PlainUpdate): Update {
  const isNode = kind.endsWith("Node");
  const models = isNode ? model.nodes : model.edges;
  const { name, properties: declared } = models[type]!;
  const key: ElementKey = isNode
    ? { kind: "node", type: name, id: ids[0]! }
    : { kind: "edge", type: name, from: ids[0]!, to: ids[1]! };
  if (kind.startsWith("remove")) return { ...key, timeMs, operation: "remove" };
  const given = Object.create(null) as Record<string, PropertyValue>;
  for (const { property, value } of properties) {
    const declaration = declared[property]!;
    const held = heldValue(declaration, value);
    if (declaration.merge !== "union") given[declaration.name] = held;
    else given[declaration.name] = [...((given[declaration.name] ?? []) as readonly PropertyValue[]), held];
  }
  return { ...key, timeMs, operation: "upsert", properties: given };
}

/** Opaque values are held as their Avro bytes. */
function heldValue({ type }: PropertyModel, value: PropertyValue): PropertyValue {
  if (!isOpaque(type) || value === null) return value;
  const writer = new AvroWriter();
  compileValueEncoder(type)(value, writer);
  return new Uint8Array(writer.copy());
}

/** The graph that the updates mean. Types with a ttl must have no gap in the band in which either may happen. */
export function graphMeant(model: GraphModel, updates: readonly Update[]): ElementGraph {
  const graph = new Map<string, ElementGraph extends ReadonlyMap<string, infer E> ? E : never>();
  for (const [key, group] of Map.groupBy(updates, keyOf)) {
    const { kind, type } = group[0]!;
    const { properties, ttlMs } = (kind === "node" ? model.nodes : model.edges).find(({ name }) => name === type)!;
    const life = ttlMs === undefined ? group : presentLife(group, ttlMs, model.latenessMs);
    // Whatever begins afresh stays removed from what was there before.
    const removals = group.filter(({ operation }) => operation === "remove").map(({ timeMs }) => timeMs);
    const removed = removals.length > 0 && { removedAtMs: Math.max(...removals) };
    graph.set(key, { ...group[0]!, ...elementOf(properties, life), ...removed });
  }
  return graph;
}

/** What is visible of it. */
export function plainGraphOf(model: GraphModel, graph: ElementGraph, nowMs: number): PlainGraph {
  const nodes: PlainNode[] = [];
  const edges: PlainEdge[] = [];
  for (const element of visibleGraph(model, graph, nowMs).values()) {
    const { firstSeenMs, lastSeenMs } = element;
    const models = element.kind === "node" ? model.nodes : model.edges;
    const type = models.findIndex(({ name }) => name === element.type);
    const properties = models[type]!.properties.map(({ name, type: of }): PropertyValue => {
      const value = element.properties[name];
      return isOpaque(of) && value instanceof Uint8Array ? valueOfAvro(of, value) : value;
    });
    const seen = { type, firstSeenMs, lastSeenMs, properties };
    if (element.kind === "node") nodes.push({ ...seen, id: element.id });
    else edges.push({ ...seen, from: element.from, to: element.to });
  }
  return { nodes, edges };
}

/** Every element by what identifies it, with its content as text: for comparison. */
export function listingOf(model: GraphModel, { nodes, edges }: PlainGraph): Map<string, string> {
  const content = ({ firstSeenMs, lastSeenMs, properties }: Omit<PlainNode, "id">): string =>
    JSON.stringify([firstSeenMs, lastSeenMs, properties], (_, value: PropertyValue) => {
      if (typeof value === "bigint") return `${value}n`;
      if (value === undefined) return "(absent)";
      return value instanceof Uint8Array ? `(bytes) ${Buffer.from(value).toString("hex")}` : value;
    });
  const entries = [
    ...nodes.map((node) => [`${model.nodes[node.type]!.name} ${JSON.stringify(node.id)}`, content(node)] as const),
    ...edges.map(
      (edge) => [`${model.edges[edge.type]!.name} ${JSON.stringify([edge.from, edge.to])}`, content(edge)] as const,
    ),
  ];
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
