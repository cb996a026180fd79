// Side-input rows as compiled jobs read them: bytes and offsets, so that a field of a row costs no more than a field of the event.

/**
 * One version of a row: its Avro bytes (written with the side input's own schema, no framing) and where its fields lie in them, as a
 * `RowReader` of the same side input has found out once. The table owns both; a compiled job keeps them no longer than one `emit`.
 */
export interface SideRow {
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
}

/** The table of one side input. */
export interface SideLookup {
  /** The row of the key `bytes[start, end)` (UTF-8, not empty): the version with the greatest record time that is not after `receivedMs`; undefined when there is none. */
  find(bytes: Uint8Array, start: number, end: number, receivedMs: number): SideRow | undefined;
}

/** Reads rows of one side input; compiled once by `compileRowReader`. */
export interface RowReader {
  /** Length of a row's `offsets`. */
  readonly offsetCount: number;
  /** Fills `offsets` for the row `bytes[start, end)`; false when the bytes are not exactly one well-formed row. */
  read(bytes: Uint8Array, start: number, end: number, offsets: Int32Array): boolean;
}
