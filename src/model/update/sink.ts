// What a job's plan writes updates into: typed sinks with integer references, so that an update costs no object and no string.
// The merge window implements it; the naive interpreter's tests have a reference implementation.
//
// Times are event times in ms. References and rows are valid until the window is taken. Calls for one update: intern the id or ids, upsert, then the properties
// with the row that upsert returned and the same time. Int64 values are canonical: a number when it is a safe integer, else a bigint.

export type Int64 = number | bigint;

export interface UpdateSink {
  /** By index in the definition's `nodes` and `edges`. */
  readonly nodes: readonly NodeSink[];
  readonly edges: readonly EdgeSink[];
}

export interface NodeSink {
  /** The reference of the id `bytes[start, end)`: UTF-8, 1 to 1,024 bytes (not checked again). */
  intern(bytes: Uint8Array, start: number, end: number): number;
  /** Returns the row for the properties. */
  upsert(reference: number, timeMs: number): number;
  remove(reference: number, timeMs: number): void;
  readonly properties: readonly PropertySink[];
}

export interface EdgeSink {
  /** Takes references of the end types' sinks; returns the row for the properties. */
  upsert(from: number, to: number, timeMs: number): number;
  remove(from: number, to: number, timeMs: number): void;
  readonly properties: readonly PropertySink[];
}

export type PropertySink = NumberSink | Int64Sink | BytesSink | CounterSink | SetSink;

export interface NumberSink {
  readonly form: "number";
  set(row: number, timeMs: number, value: number): void;
  setNull(row: number, timeMs: number): void;
}
export interface Int64Sink {
  readonly form: "int64";
  set(row: number, timeMs: number, value: Int64): void;
  setNull(row: number, timeMs: number): void;
}
export interface BytesSink {
  readonly form: "bytes";
  set(row: number, timeMs: number, bytes: Uint8Array, start: number, end: number): void;
  setNull(row: number, timeMs: number): void;
}
export interface CounterSink {
  readonly form: "counter";
  add(row: number, value: Int64): void;
}
/** One `add` per item, by the storage class of the item's type; an explicit null is an item too. */
export interface SetSink {
  readonly form: "set";
  addNumber(row: number, value: number): void;
  addInt64(row: number, value: Int64): void;
  addBytes(row: number, bytes: Uint8Array, start: number, end: number): void;
  addNull(row: number): void;
}
