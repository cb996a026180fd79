// The property columns of the packed update batch; codec.ts states the format. Hot path: per column, never per value.
import {
  type BytesColumn,
  type EdgeColumns,
  type NodeColumns,
  type PropertyColumn,
  stateNull,
  stateValue,
} from "./batch.ts";
import type { PackedReader } from "./packed-reader.ts";
import type { PackedWriter } from "./packed-writer.ts";

const formNumbers = { number: 1, int64: 2, bytes: 3, counter: 4, set: 5 } as const;

const someAbsent = 1;
const someNull = 2;
const ownTimes = 4;
const absoluteTimes = 8;
const exactValues = 16;
const dictionary = 32;
const someCut = 64;
const flagsKnown = 127;

const propertiesMax = 65_535;

type Rows = NodeColumns | EdgeColumns;
type SetColumn = Extract<PropertyColumn, { form: "set" }>;
type RegisterColumn = Exclude<PropertyColumn, { form: "set" }>;

export function writeProperties(writer: PackedWriter, rows: Rows): void {
  for (const [index, property] of rows.properties.entries()) {
    if (property === undefined) continue;
    const head = writer.at;
    writer.head(index, formNumbers[property.form], 0, 0);
    const flags =
      property.form === "set" ? writeSet(writer, property, rows.count) : writeRegister(writer, property, rows);
    writer.patch8(head + 3, flags);
  }
}

function writeRegister(writer: PackedWriter, property: RegisterColumn, rows: Rows): number {
  const { count } = rows;
  const { states } = property;
  let flags = 0;
  if (states !== undefined && states.includes(0)) {
    flags |= someAbsent;
    writer.bitmap(states, stateNull, count);
  }
  if (states !== undefined && states.includes(stateNull)) {
    flags |= someNull;
    writer.bitmap(nullsOf(states), 1, count);
  }
  if (property.form !== "counter" && property.timesMs !== undefined) {
    flags |= writeTimes(writer, property.timesMs, states, rows.lastSeenMs);
  }
  if (property.form === "bytes") return flags | writeBytes(writer, denseBytes(property.values, states, count));
  if (property.form !== "number" && property.exact !== undefined) {
    writer.exact(states === undefined ? property.exact : property.exact.filter((_, row) => states[row] === stateValue));
    return flags | exactValues;
  }
  const values = states === undefined ? property.values : denseNumbers(property.values, states, stateValue);
  writer.numbers(values, values.length);
  return flags;
}

/** The values of rows whose state is at least `least`. */
export function denseNumbers(values: Float64Array, states: Uint8Array, least: number): Float64Array {
  const given = new Float64Array(states.length);
  let count = 0;
  for (let row = 0; row < states.length; row++) if (states[row]! >= least) given[count++] = values[row]!;
  return given.subarray(0, count);
}

function nullsOf(states: Uint8Array): Uint8Array {
  return states.map((state) => (state === stateNull ? 1 : 0));
}

/** Times of contributing rows, relative to the rows' last seen where that loses nothing. */
function writeTimes(
  writer: PackedWriter,
  times: Float64Array,
  states: Uint8Array | undefined,
  lastSeen: Float64Array,
): number {
  const given = new Float64Array(times.length);
  let exact = true;
  for (let row = 0; row < times.length; row++) {
    given[row] = lastSeen[row]! - times[row]!;
    if (lastSeen[row]! - given[row]! !== times[row] && (states === undefined || states[row] !== 0)) exact = false;
  }
  const chosen = exact ? given : times;
  const dense = states === undefined ? chosen : denseNumbers(chosen, states, stateNull);
  writer.numbers(dense, dense.length);
  return exact ? ownTimes : ownTimes | absoluteTimes;
}

function writeBytes(writer: PackedWriter, values: BytesColumn): number {
  const count = values.starts.length - 1;
  if (writer.dictionaryBytes(values, count)) return dictionary;
  writer.plainBytes(values, count);
  return 0;
}

/** The values of rows that have one. */
function denseBytes(values: BytesColumn, states: Uint8Array | undefined, count: number): BytesColumn {
  if (states === undefined) return { bytes: values.bytes, starts: values.starts.subarray(0, count + 1) };
  const { starts } = values;
  const packed = new Uint32Array(states.reduce((sum, state) => (state === stateValue ? sum + 1 : sum), 1));
  let total = 0;
  let given = 0;
  for (let row = 0; row < count; row++) {
    if (states[row] !== stateValue) continue;
    total += starts[row + 1]! - starts[row]!;
    packed[++given] = total;
  }
  if (total === starts[count]! - starts[0]!) return { bytes: values.bytes.subarray(starts[0]), starts: packed };
  const bytes = new Uint8Array(total);
  let to = 0;
  for (let row = 0; row < count; row++) {
    if (states[row] !== stateValue) continue;
    bytes.set(values.bytes.subarray(starts[row], starts[row + 1]), to);
    to += starts[row + 1]! - starts[row]!;
  }
  return { bytes, starts: packed };
}

function writeSet(writer: PackedWriter, property: SetColumn, count: number): number {
  const { starts, cut } = property;
  const sizes = new Uint32Array(count);
  for (let row = 0; row < count; row++) sizes[row] = starts[row + 1]! - starts[row]!;
  writer.integers(sizes, count);
  if (cut !== undefined) writer.bitmap(cut, 1, count);
  return (cut === undefined ? 0 : someCut) | writeBytes(writer, property.items);
}

/** What `readProperties` needs of the section that it is in. */
interface Section {
  readonly reader: PackedReader;
  readonly count: number;
  readonly declared: number;
  readonly present: number;
}

export function readProperties(section: Section, lastSeenMs: Float64Array): readonly (PropertyColumn | undefined)[] {
  const { reader, declared, present, count } = section;
  if (declared > propertiesMax || present > declared)
    throw reader.damaged("a section has a wrong number of properties");
  const properties: (PropertyColumn | undefined)[] = new Array<undefined>(declared).fill(undefined);
  for (let i = 0, previous = -1; i < present; i++) {
    const head = reader.head(1);
    const index = reader.uint16(head);
    const flags = reader.uint8(head + 3);
    if (index <= previous || index >= declared || flags > flagsKnown)
      throw reader.damaged("a property's head is wrong");
    properties[index] = readProperty(reader, reader.uint8(head + 2), flags, count, lastSeenMs);
    previous = index;
  }
  return properties;
}

function readProperty(
  reader: PackedReader,
  form: number,
  flags: number,
  count: number,
  lastSeenMs: Float64Array,
): PropertyColumn {
  if (form === formNumbers.set) return readSet(reader, flags, count);
  const states = reader.states(count, (flags & someAbsent) !== 0, (flags & someNull) !== 0);
  const given = states === undefined ? undefined : { states };
  const timesMs = (flags & ownTimes) === 0 ? undefined : readTimes(reader, flags, count, states, lastSeenMs);
  const times = timesMs === undefined ? undefined : { timesMs };
  const valueCount = states === undefined ? count : countOf(states, stateValue);
  switch (form) {
    case formNumbers.number:
      return { form: "number", ...given, ...times, values: readNumbers(reader, valueCount, states) };
    case formNumbers.int64:
      return { form: "int64", ...given, ...times, ...readInt64(reader, flags, valueCount, states) };
    case formNumbers.counter:
      return { form: "counter", ...given, ...readInt64(reader, flags, valueCount, states) };
    case formNumbers.bytes: {
      const values = readBytes(reader, flags, valueCount, 0);
      return {
        form: "bytes",
        ...given,
        ...times,
        values: states === undefined ? values : reader.spreadBytes(values, states),
      };
    }
    default:
      throw reader.damaged(`a property has form ${form}`);
  }
}

function countOf(states: Uint8Array, least: number): number {
  let count = 0;
  for (let row = 0; row < states.length; row++) if (states[row]! >= least) count++;
  return count;
}

function readTimes(
  reader: PackedReader,
  flags: number,
  count: number,
  states: Uint8Array | undefined,
  lastSeenMs: Float64Array,
): Float64Array {
  const dense = reader.numbers(states === undefined ? count : countOf(states, stateNull));
  if ((flags & absoluteTimes) === 0) return reader.subtractFrom(lastSeenMs, dense, states);
  return states === undefined ? dense : reader.spread(dense, states, stateNull, 0);
}

function readNumbers(reader: PackedReader, valueCount: number, states: Uint8Array | undefined): Float64Array {
  const values = reader.numbers(valueCount);
  return states === undefined ? values : reader.spread(values, states, stateValue, 0);
}

function readInt64(
  reader: PackedReader,
  flags: number,
  valueCount: number,
  states: Uint8Array | undefined,
): { readonly values: Float64Array; readonly exact?: BigInt64Array } {
  if ((flags & exactValues) === 0) return { values: readNumbers(reader, valueCount, states) };
  const dense = reader.exact(valueCount);
  const exact = states === undefined ? dense : reader.spreadExact(dense, states);
  return { values: reader.doublesOf(exact), exact };
}

function readBytes(reader: PackedReader, flags: number, count: number, lengthMin: number): BytesColumn {
  return (flags & dictionary) === 0
    ? reader.plainBytes(count, lengthMin, 0xffffffff)
    : reader.dictionaryBytes(count, lengthMin);
}

function readSet(reader: PackedReader, flags: number, count: number): SetColumn {
  const starts = reader.startsOf(reader.integers(count, 0xffffffff));
  const cut = (flags & someCut) === 0 ? undefined : reader.emptyStates(count);
  if (cut !== undefined) reader.bitmap(cut, count, 1);
  // Items have a byte at least; numbers of a dictionary take none only when all are equal, and then a row has one.
  const total = starts[count]!;
  if (total > Math.max(count, reader.remaining)) throw reader.damaged("a set column has a wrong number of items");
  const items = readBytes(reader, flags, total, 1);
  return { form: "set", starts, items, ...(cut !== undefined && { cut }) };
}
