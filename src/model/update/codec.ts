// The packed update batch: merged updates in columns as bytes, as they lie in the log. What is usual costs nothing: equal times, no removal, every row a value.
//
// Format, version 1. Little endian; every part starts at a multiple of 8 and is padded with zeros.
//   batch     "RDGU" u32 | version u16 | 0 u16 | length of the batch in bytes u32 | events u32 | node sections u32 | edge sections u32 | sections, nodes first
//   section   type u16 | flags u8 | 0 u8 | rows u32 | declared properties u32 | present properties u32
//             nodes: ids (plain bytes)      edges: from (integers) | to (integers), rows of the node sections of the edge type's ends
//             flag 1: bitmap of upserted rows (else all are)        last seen of upserted rows (numbers)
//             flag 2: last seen - first seen of upserted rows (numbers), else they are equal
//             flag 4: bitmap of removed rows | removed at of those (numbers)                                  then the present properties
//   property  index u16 | form u8 (1 number, 2 int64, 3 bytes, 4 counter, 5 set) | flags u8 | 0 u32
//             flag 1: bitmap of contributing rows (else all do)     flag 2: bitmap of nulls     values follow for rows that have one
//             flag 4: times of contributing rows (numbers) as last seen - time, or with flag 8 as they are; else each is the row's own
//             number, int64, counter: numbers, or with flag 16 int64 as they are      bytes: plain bytes, or with flag 32 dictionary bytes
//             set: sizes (integers) | flag 64: bitmap of cut rows | items of all rows (plain or, with flag 32, dictionary bytes)
//   numbers, integers    0 u16 | width u8 | has base u8 | 0 u32 | base f64 if it has one | values less the base, of width 0 (all equal the base), 1, 2, 4,
//                        or (numbers only) 8: doubles as they are. Nothing at all when there are no values.
//   plain bytes          lengths (integers) | bytes               dictionary bytes     entries u32 | 0 u32 | entries (plain bytes) | numbers of entries (integers)
//   bitmap               bit i % 8 of byte i / 8
// Types and properties are indexes into the definition that the job ran with.
import { RdgError } from "../../core/errors.ts";
import type { EdgeColumns, NodeColumns, UpdateBatch } from "./batch.ts";
import { denseNumbers, readProperties, writeProperties } from "./codec-properties.ts";
import type { ColumnMemory } from "./column-memory.ts";
import { PackedReader } from "./packed-reader.ts";
import { PackedWriter } from "./packed-writer.ts";

const magic = 0x55474452;
const version = 1;
const lengthAt = 8;
const headBytes = 24;
const idBytesMax = 1024;

const decodedSizeBytesMaxDefault = 1024 * 1024 * 1024;

const someNotUpserted = 1;
const firstSeenDiffers = 2;
const someRemoved = 4;

/** One for all batches: its buffer is kept, and encoding is synchronous. */
const writer = new PackedWriter();

/** The packed form, in a buffer of its own. */
export function encodeUpdateBatch(batch: UpdateBatch): Uint8Array {
  writer.at = 0;
  writer.pair(magic, version);
  writer.pair(0, batch.eventCount);
  writer.pair(batch.nodes.length, batch.edges.length);
  for (const nodes of batch.nodes) {
    writeSectionHead(nodes);
    writer.plainBytes(nodes.ids, nodes.count);
    writeRows(nodes);
  }
  for (const edges of batch.edges) {
    writeSectionHead(edges);
    writer.integers(edges.from, edges.count);
    writer.integers(edges.to, edges.count);
    writeRows(edges);
  }
  return writer.finish(lengthAt);
}

type Rows = NodeColumns | EdgeColumns;

function writeSectionHead(rows: Rows): void {
  const { count, lastSeenMs, firstSeenMs, removedAtMs } = rows;
  let flags = removedAtMs === undefined ? 0 : someRemoved;
  for (let row = 0; row < count; row++) {
    if (firstSeenMs[row] === lastSeenMs[row]) continue;
    flags |= lastSeenMs[row] === -Infinity ? someNotUpserted : firstSeenDiffers;
  }
  writer.head(rows.type, flags, 0, count);
  writer.pair(rows.properties.length, rows.properties.filter((property) => property !== undefined).length);
}

function writeRows(rows: Rows): void {
  const { count, lastSeenMs, firstSeenMs, removedAtMs } = rows;
  const upserted = lastSeenMs.includes(-Infinity) ? finiteRows(lastSeenMs, count) : undefined;
  if (upserted !== undefined) writer.bitmap(upserted, 1, count);
  const last = upserted === undefined ? lastSeenMs : denseNumbers(lastSeenMs, upserted, 1);
  const first = upserted === undefined ? firstSeenMs : denseNumbers(firstSeenMs, upserted, 1);
  const spans = spansOf(last, first);
  writer.numbers(last, last.length);
  if (spans !== undefined) writer.numbers(spans, spans.length);
  if (removedAtMs !== undefined) {
    const removed = finiteRows(removedAtMs, count);
    writer.bitmap(removed, 1, count);
    const times = denseNumbers(removedAtMs, removed, 1);
    writer.numbers(times, times.length);
  }
  writeProperties(writer, rows);
}

function finiteRows(times: Float64Array, count: number): Uint8Array {
  const rows = new Uint8Array(count);
  for (let row = 0; row < count; row++) if (times[row]! > -Infinity) rows[row] = 1;
  return rows;
}

function spansOf(last: Float64Array, first: Float64Array): Float64Array | undefined {
  let row = 0;
  while (row < last.length && first[row] === last[row]) row++;
  if (row === last.length) return undefined;
  const spans = new Float64Array(last.length);
  for (; row < last.length; row++) spans[row] = last[row]! - first[row]!;
  return spans;
}

/**
 * Typed arrays of a packed batch, partly views on `bytes`: keep those unchanged as long as the batch is in use. The others are in `memory`, where it is given.
 * @throws RdgError corrupt, `update_batch_damaged`; invalid, `update_batch_version` when a later version of RDG wrote it
 */
export function decodeUpdateBatch(
  bytes: Uint8Array,
  decodedSizeBytesMax: number = decodedSizeBytesMaxDefault,
  memory?: ColumnMemory,
): UpdateBatch {
  const aligned =
    bytes.byteOffset % 8 === 0 ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : new Uint8Array(bytes);
  const reader = new PackedReader(aligned, decodedSizeBytesMax, memory);
  const head = reader.head(headBytes / 8);
  if (reader.uint32(head) !== magic) throw reader.damaged("it does not begin as one");
  refuseOtherVersion(reader.uint16(head + 4));
  if (reader.uint32(head + lengthAt) !== bytes.length) throw reader.damaged("its length is not what it says");
  const [eventCount, nodeSections, edgeSections] = [head + 12, head + 16, head + 20].map((at) => reader.uint32(at));
  const nodes = readSections(reader, nodeSections!, readNodes);
  const nodeRowsMax = nodes.reduce((most, { count }) => Math.max(most, count), 0);
  const edges = readSections(reader, edgeSections!, (section) => readEdges(reader, section, nodeRowsMax));
  if (reader.remaining !== 0) throw reader.damaged("something follows its end");
  return { eventCount: eventCount!, nodes, edges };
}

function refuseOtherVersion(found: number): void {
  if (found === version) return;
  throw new RdgError(
    "invalid",
    "update_batch_version",
    `The packed update batch has version ${found}; this RDG reads version ${version}.`,
    {
      hint: "Use the version of RDG that wrote the log, or a later one.",
    },
  );
}

interface Section {
  readonly reader: PackedReader;
  readonly type: number;
  readonly flags: number;
  readonly count: number;
  readonly declared: number;
  readonly present: number;
}

function readSections<T extends Rows>(reader: PackedReader, sections: number, read: (section: Section) => T): T[] {
  const found: T[] = [];
  const types = new Set<number>();
  for (let i = 0; i < sections; i++) {
    const head = reader.head(2);
    const section = {
      reader,
      type: reader.uint16(head),
      flags: reader.uint8(head + 2),
      count: reader.uint32(head + 4),
      declared: reader.uint32(head + 8),
      present: reader.uint32(head + 12),
    };
    if (types.has(section.type)) throw reader.damaged(`type ${section.type} occurs twice`);
    types.add(section.type);
    // Ids have a byte at least, and pairs of ends differ: a row takes a byte at least.
    if (section.count === 0 || section.count > reader.remaining)
      throw reader.damaged("a section has a wrong number of rows");
    found.push(read(section));
  }
  return found;
}

function readNodes(section: Section): NodeColumns {
  const ids = section.reader.plainBytes(section.count, 1, idBytesMax);
  return { ...readRows(section), ids };
}

function readEdges(reader: PackedReader, section: Section, nodeRowsMax: number): EdgeColumns {
  const before = reader.at;
  const from = reader.integers(section.count, nodeRowsMax - 1);
  const to = reader.integers(section.count, nodeRowsMax - 1);
  if (reader.at - before < section.count) throw reader.damaged("an edge occurs twice");
  return { ...readRows(section), from, to };
}

function readRows(section: Section): Omit<NodeColumns, "ids"> {
  const { reader, type, flags, count } = section;
  let upserted: Uint8Array | undefined;
  let upserts = count;
  if ((flags & someNotUpserted) !== 0) {
    upserted = reader.emptyStates(count);
    upserts = reader.bitmap(upserted, count, 1);
  }
  const last = reader.numbers(upserts);
  const first = (flags & firstSeenDiffers) === 0 ? last : reader.subtractFrom(last, reader.numbers(upserts));
  const lastSeenMs = upserted === undefined ? last : reader.spread(last, upserted, 1, -Infinity);
  const firstSeenMs = upserted === undefined ? first : reader.spread(first, upserted, 1, Infinity);
  const times = { type, count, lastSeenMs, firstSeenMs };
  if ((flags & someRemoved) === 0) return { ...times, properties: readProperties(section, lastSeenMs) };
  const removed = reader.emptyStates(count);
  const removals = reader.bitmap(removed, count, 1);
  const removedAtMs = reader.spread(reader.numbers(removals), removed, 1, -Infinity);
  return { ...times, removedAtMs, properties: readProperties(section, lastSeenMs) };
}
