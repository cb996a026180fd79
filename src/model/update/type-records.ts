// The updates of one node or edge type as records of its topic: single Avro updates by the element's key, for everybody, or one packed batch per window and
// partition, for programs with RDG's reader at a fraction of the CPU. One reader takes both, also one after the other: whoever changes the form later keeps what
// is there.
//
//   single   key: the id, or the ids of both ends as a JSON array | value: Confluent's framing, then Avro (avro/update-record.ts)
//   packed   no key | value: a packed batch (codec.ts) that holds this type alone; node types that are ends of its edges give ids only
import { RdgError } from "../../core/errors.ts";
import { compileUpdateRecords } from "../avro/update-record.ts";
import type { EdgeModel, GraphModel, NodeModel, Publication } from "../definition.ts";
import { partitionOf } from "../partitioner.ts";
import { batchOfElements } from "./batch-of-elements.ts";
import type { BytesColumn, NodeColumns, UpdateBatch } from "./batch.ts";
import { decodeUpdateBatch, encodeUpdateBatch } from "./codec.ts";
import { type UpdateRow, updateRows, updateRowsOf } from "./rows.ts";

export type PublishedForm = Publication["form"];

export interface PublishedRecords {
  readonly partition: number;
  readonly batch: { readonly count: number; readonly keys?: BytesColumn; readonly values: BytesColumn };
}

export interface TypeTopic {
  /** `nodes.<type>` or `edges.<type>`. */
  readonly name: string;
  readonly partitions: number;
  readonly published: PublishedForm;
  /** Of the type's update schema. */
  readonly schemaId: number;
}

/** What a window's batch adds to a type topic; nothing where it has no update of the type. */
export function compileTypePublisher(
  model: GraphModel,
  { name, partitions, published, schemaId }: TypeTopic,
): (batch: UpdateBatch) => readonly PublishedRecords[] {
  const { kind, type } = typeOf(model, name);
  const records = compileUpdateRecords(kind, type);
  const head = framingOf(schemaId);
  return (batch) => {
    if (published === "packed" && partitions === 1) {
      const own = columnsOf(model, batch, kind, type);
      if (own === undefined) return [];
      return [{ partition: 0, batch: { count: 1, values: columnOf([encodeUpdateBatch(own)]) } }];
    }
    const rows: UpdateRow[][] = Array.from({ length: partitions }, () => []);
    for (const row of updateRowsOf(model, batch, kind, type.name)) {
      const key = keyOf(row);
      rows[partitionOf(key, 0, key.length, partitions)]!.push(row);
    }
    return rows.flatMap((mine, partition): PublishedRecords[] => {
      if (mine.length === 0) return [];
      if (published === "packed") {
        const packed = encodeUpdateBatch(batchOfElements(model, mine, mine.length));
        return [{ partition, batch: { count: 1, values: columnOf([packed]) } }];
      }
      const values = columnOf(mine.map((row) => Buffer.concat([head, records.encode(row)])));
      return [{ partition, batch: { count: mine.length, keys: columnOf(mine.map(keyOf)), values } }];
    });
  };
}

/** The batch's columns of this type, as they are: no object per update. */
function columnsOf(
  model: GraphModel,
  batch: UpdateBatch,
  kind: "node" | "edge",
  type: NodeModel | EdgeModel,
): UpdateBatch | undefined {
  if (kind === "node") {
    const nodes = batch.nodes.find((columns) => model.nodes[columns.type] === type);
    if (nodes === undefined || !hasUpdates(nodes)) return undefined;
    return { eventCount: nodes.count, nodes: [nodes], edges: [] };
  }
  const edges = batch.edges.find((columns) => model.edges[columns.type] === type);
  if (edges === undefined) return undefined;
  const { from, to } = type as EdgeModel;
  const ends = batch.nodes.filter((columns) => [from, to].includes(model.nodes[columns.type]!.name));
  return { eventCount: edges.count, nodes: ends.map(idsOnly), edges: [edges] };
}

function hasUpdates({ count, lastSeenMs, removedAtMs }: NodeColumns): boolean {
  if (removedAtMs?.some((removedMs) => removedMs > -Infinity) === true) return true;
  for (let row = 0; row < count; row++) if (lastSeenMs[row]! > -Infinity) return true;
  return false;
}

const idsOnly = ({ type, count, ids, properties }: NodeColumns): NodeColumns => ({
  type,
  count,
  ids,
  lastSeenMs: new Float64Array(count).fill(-Infinity),
  firstSeenMs: new Float64Array(count).fill(Infinity),
  properties: properties.map(() => undefined),
});

/** The updates that a record of a type topic holds, whichever form it has. @throws RdgError corrupt, `not_an_update`; invalid, `bad_avro` */
export function compileTypeReader(
  model: GraphModel,
  name: string,
): (values: BytesColumn, i: number) => Iterable<UpdateRow> {
  const { kind, type } = typeOf(model, name);
  const records = compileUpdateRecords(kind, type);
  return ({ bytes, starts }, i) => {
    const [start, end] = [starts[i]!, starts[i + 1]!];
    if (bytes[start] === framed) return [records.decode(bytes, start + framingBytes, end)];
    if (bytes[start] === packedMagic) return updateRows(model, decodeUpdateBatch(bytes.subarray(start, end)));
    throw new RdgError(
      "corrupt",
      "not_an_update",
      `A record of ${name} is neither a framed update nor a packed batch.`,
      {
        place: name,
        hint: "Only RDG's jobs may write to this topic.",
      },
    );
  };
}

const framed = 0;
const framingBytes = 5;
/** First byte of a packed batch. */
const packedMagic = 0x52;

function framingOf(schemaId: number): Buffer {
  const head = Buffer.alloc(framingBytes);
  head.writeUInt32BE(schemaId, 1);
  return head;
}

function keyOf(row: UpdateRow): Buffer {
  return Buffer.from(row.kind === "node" ? row.id : JSON.stringify([row.from, row.to]));
}

function typeOf(
  model: GraphModel,
  topic: string,
): { readonly kind: "node" | "edge"; readonly type: NodeModel | EdgeModel } {
  const [stage, name] = [topic.slice(0, topic.indexOf(".")), topic.slice(topic.indexOf(".") + 1)];
  const kind = stage === "nodes" ? "node" : "edge";
  const type = (kind === "node" ? model.nodes : model.edges).find((each) => each.name === name);
  if (type !== undefined) return { kind, type };
  throw new RdgError("invalid", "unknown_type", `The definition has no type for the topic ${topic}.`, { place: topic });
}

function columnOf(pieces: readonly Uint8Array[]): BytesColumn {
  const starts = new Uint32Array(pieces.length + 1);
  for (const [i, piece] of pieces.entries()) starts[i + 1] = starts[i]! + piece.length;
  return { bytes: Buffer.concat(pieces), starts };
}
