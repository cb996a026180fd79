// Registers of byte values (text, bytes, opaque) in the merge window. Hot path: values lie in one arena per column; only growth allocates.
//
// A row holds the place of its value. A replaced value is overwritten where the new one fits, else left behind in the arena, which counts towards the
// window's size and so towards its end.
import {
  type BytesColumn,
  type PropertyColumn,
  stateAbsent,
  stateNull,
  stateValue,
} from "../../../model/update/batch.ts";
import { compareRanges } from "../../../model/update/encoded-value.ts";
import type { BytesSink } from "../../../model/update/sink.ts";
import { differingTimes, grownBytes, grownFloats, grownIntegers, type RowTimes, type WindowColumn } from "./column.ts";

type BytesRegister = BytesSink & WindowColumn;

export function bytesColumn(merge: "last" | "first" | "min" | "max"): BytesRegister {
  switch (merge) {
    case "last":
      return new LastBytes();
    case "first":
      return new FirstBytes();
    case "min":
      return new LeastBytes();
    case "max":
      return new GreatestBytes();
  }
}

/** Length marks: 0 no contribution, 1 null, else the value's length + 2. */
const absent = 0;
const nothing = 1;
const lengthBase = 2;

class ByteValues {
  arena = new Uint8Array(1024);
  used = 0;
  offsets = new Uint32Array(0);
  marks = new Uint32Array(0);

  put(row: number, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    let at = this.offsets[row]!;
    if (this.marks[row]! < length + lengthBase) {
      at = this.used;
      this.used += length;
      if (this.used > this.arena.length) this.arena = grownBytes(this.arena, this.used);
      this.offsets[row] = at;
    }
    this.marks[row] = length + lengthBase;
    const arena = this.arena;
    if (length > 64) arena.set(bytes.subarray(start, end), at);
    else for (let i = start; i < end; i++) arena[at++] = bytes[i]!;
  }
  putNull(row: number): void {
    this.marks[row] = nothing;
  }
  /** Order of the given value against the row's, which is null or a value. */
  compare(row: number, bytes: Uint8Array, start: number, end: number): number {
    const mark = this.marks[row]!;
    if (mark < lengthBase) return 1;
    const offset = this.offsets[row]!;
    return compareRanges(bytes, start, end, this.arena, offset, offset + mark - lengthBase);
  }
  grow(capacity: number): void {
    this.offsets = grownIntegers(this.offsets, capacity);
    this.marks = grownIntegers(this.marks, capacity);
  }
  reset(count: number): void {
    this.marks.fill(absent, 0, count);
    this.used = 0;
  }

  /** States of the first `count` rows; undefined when all have a value, "none" when none has a contribution. */
  states(count: number): Uint8Array | undefined | "none" {
    const marks = this.marks;
    let row = 0;
    while (row < count && marks[row]! >= lengthBase) row++;
    if (row === count) return undefined;
    const states = new Uint8Array(count).fill(stateValue, 0, row);
    let given = row;
    for (; row < count; row++) {
      const mark = marks[row]!;
      states[row] = mark >= lengthBase ? stateValue : mark === nothing ? stateNull : stateAbsent;
      if (mark !== absent) given++;
    }
    return given === 0 ? "none" : states;
  }

  /** The values in row order; in place when they lie so already. */
  column(count: number): BytesColumn {
    const { marks, offsets, arena } = this;
    const starts = new Uint32Array(count + 1);
    let total = 0;
    let inOrder = true;
    for (let row = 0; row < count; row++) {
      const mark = marks[row]!;
      if (mark > lengthBase) {
        if (offsets[row] !== total) inOrder = false;
        total += mark - lengthBase;
      }
      starts[row + 1] = total;
    }
    if (inOrder) return { starts, bytes: arena.subarray(0, total) };
    const bytes = new Uint8Array(total);
    for (let row = 0; row < count; row++) {
      const from = offsets[row]!;
      const to = starts[row]!;
      const length = starts[row + 1]! - to;
      if (length > 64) bytes.set(arena.subarray(from, from + length), to);
      else for (let i = 0; i < length; i++) bytes[to + i] = arena[from + i]!;
    }
    return { starts, bytes };
  }
}

class LastBytes implements BytesRegister {
  readonly form = "bytes";
  readonly rowBytes = 16;
  values = new ByteValues();
  times = new Float64Array(0);

  get extraBytes(): number {
    return this.values.used;
  }
  set(row: number, timeMs: number, bytes: Uint8Array, start: number, end: number): void {
    const known = this.times[row]!;
    if (timeMs > known || (timeMs === known && this.values.compare(row, bytes, start, end) > 0)) {
      this.times[row] = timeMs;
      this.values.put(row, bytes, start, end);
    }
  }
  setNull(row: number, timeMs: number): void {
    if (timeMs <= this.times[row]!) return;
    this.times[row] = timeMs;
    this.values.putNull(row);
  }
  grow(capacity: number): void {
    this.values.grow(capacity);
    this.times = grownFloats(this.times, capacity, -Infinity);
  }
  reset(count: number): void {
    this.values.reset(count);
    this.times.fill(-Infinity, 0, count);
  }
  column(count: number, rows: RowTimes): PropertyColumn | undefined {
    return timedColumn(count, this.values, this.times, rows.lastSeen);
  }
}

class FirstBytes implements BytesRegister {
  readonly form = "bytes";
  readonly rowBytes = 16;
  values = new ByteValues();
  times = new Float64Array(0);

  get extraBytes(): number {
    return this.values.used;
  }
  set(row: number, timeMs: number, bytes: Uint8Array, start: number, end: number): void {
    const known = this.times[row]!;
    if (timeMs < known || (timeMs === known && this.values.compare(row, bytes, start, end) < 0)) {
      this.times[row] = timeMs;
      this.values.put(row, bytes, start, end);
    }
  }
  setNull(row: number, timeMs: number): void {
    if (timeMs > this.times[row]!) return;
    this.times[row] = timeMs;
    this.values.putNull(row);
  }
  grow(capacity: number): void {
    this.values.grow(capacity);
    this.times = grownFloats(this.times, capacity, Infinity);
  }
  reset(count: number): void {
    this.values.reset(count);
    this.times.fill(Infinity, 0, count);
  }
  column(count: number, rows: RowTimes): PropertyColumn | undefined {
    return timedColumn(count, this.values, this.times, rows.firstSeen);
  }
}

class LeastBytes implements BytesRegister {
  readonly form = "bytes";
  readonly rowBytes = 8;
  values = new ByteValues();

  get extraBytes(): number {
    return this.values.used;
  }
  set(row: number, _timeMs: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.values.marks[row] === absent || this.values.compare(row, bytes, start, end) < 0) {
      this.values.put(row, bytes, start, end);
    }
  }
  setNull(row: number): void {
    this.values.putNull(row);
  }
  grow(capacity: number): void {
    this.values.grow(capacity);
  }
  reset(count: number): void {
    this.values.reset(count);
  }
  column(count: number): PropertyColumn | undefined {
    return untimedColumn(count, this.values);
  }
}

class GreatestBytes implements BytesRegister {
  readonly form = "bytes";
  readonly rowBytes = 8;
  values = new ByteValues();

  get extraBytes(): number {
    return this.values.used;
  }
  set(row: number, _timeMs: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.values.compare(row, bytes, start, end) > 0) this.values.put(row, bytes, start, end);
  }
  setNull(row: number): void {
    if (this.values.marks[row] === absent) this.values.putNull(row);
  }
  grow(capacity: number): void {
    this.values.grow(capacity);
  }
  reset(count: number): void {
    this.values.reset(count);
  }
  column(count: number): PropertyColumn | undefined {
    return untimedColumn(count, this.values);
  }
}

function timedColumn(
  count: number,
  values: ByteValues,
  times: Float64Array,
  own: Float64Array,
): PropertyColumn | undefined {
  const states = values.states(count);
  if (states === "none") return undefined;
  const timesMs = differingTimes(count, times, own, states);
  return {
    form: "bytes",
    ...(states !== undefined && { states }),
    ...(timesMs !== undefined && { timesMs }),
    values: values.column(count),
  };
}

function untimedColumn(count: number, values: ByteValues): PropertyColumn | undefined {
  const states = values.states(count);
  if (states === "none") return undefined;
  return { form: "bytes", ...(states !== undefined && { states }), values: values.column(count) };
}
