// Registers of int64 and exact counters in the merge window. Hot path.
//
// As number-column.ts, with the nearest double of every value; where that is not a safe integer the exact value stands in a second array, which most windows
// never allocate. Nearest doubles keep order, so exact values are compared only when two unsafe doubles are equal.
import type { PropertyColumn } from "../../../model/update/batch.ts";
import type { CounterSink, Int64, Int64Sink } from "../../../model/update/sink.ts";
import { differingTimes, grownFloats, type RowTimes, type WindowColumn } from "./column.ts";
import { statesOf } from "./number-column.ts";

type Int64Column = Int64Sink & WindowColumn;

const safeMax = Number.MAX_SAFE_INTEGER;

export function int64Column(merge: "last" | "first" | "min" | "max"): Int64Column {
  switch (merge) {
    case "last":
      return new LastInt64();
    case "first":
      return new FirstInt64();
    case "min":
      return new LeastInt64();
    case "max":
      return new GreatestInt64();
  }
}

/** Doubles with the exact values of the unsafe ones beside them. */
class Int64Values {
  doubles = new Float64Array(0);
  exact: BigInt64Array<ArrayBuffer> | undefined;
  /** How often an exact value was put: none means that the doubles say all. */
  exactPuts = 0;

  put(row: number, value: Int64): void {
    if (typeof value === "number") this.doubles[row] = value + 0;
    else this.#putExact(row, value);
  }
  #putExact(row: number, value: bigint): void {
    this.exact ??= new BigInt64Array(this.doubles.length);
    this.exact[row] = value;
    this.doubles[row] = Number(value);
    this.exactPuts++;
  }
  /** Greater, by value; the row has a value or null. */
  exceeds(value: bigint, row: number): boolean {
    const nearest = Number(value);
    const known = this.doubles[row]!;
    return nearest === known ? value > this.exact![row]! : nearest > known;
  }
  /** Smaller, by value; the row has a value or null. */
  fallsBelow(value: bigint, row: number): boolean {
    const nearest = Number(value);
    const known = this.doubles[row]!;
    return nearest === known ? value < this.exact![row]! : nearest < known;
  }
  grow(capacity: number): void {
    this.doubles = grownFloats(this.doubles, capacity, NaN);
    if (this.exact === undefined) return;
    const exact = new BigInt64Array(capacity);
    exact.set(this.exact);
    this.exact = exact;
  }
  reset(count: number): void {
    this.doubles.fill(NaN, 0, count);
    this.exactPuts = 0;
  }
  get extraBytes(): number {
    return this.exactPuts * 8;
  }
  /** All values of the first `count` rows exactly, or undefined when the doubles are exact. */
  exactColumn(count: number): BigInt64Array | undefined {
    const exact = this.exact;
    if (exact === undefined || this.exactPuts === 0) return undefined;
    let unsafe = 0;
    for (let row = 0; row < count; row++) {
      const value = this.doubles[row]!;
      if (value >= -safeMax && value <= safeMax) exact[row] = BigInt(value);
      else if (value > -Infinity) unsafe++;
    }
    return unsafe === 0 ? undefined : exact.subarray(0, count);
  }
}

class LastInt64 implements Int64Column {
  readonly form = "int64";
  readonly rowBytes = 16;
  values = new Int64Values();
  times = new Float64Array(0);

  get extraBytes(): number {
    return this.values.extraBytes;
  }
  set(row: number, timeMs: number, value: Int64): void {
    const known = this.times[row]!;
    if (timeMs > known || (timeMs === known && this.#wins(row, value))) {
      this.times[row] = timeMs;
      this.values.put(row, value);
    }
  }
  #wins(row: number, value: Int64): boolean {
    return typeof value === "number" ? value > this.values.doubles[row]! : this.values.exceeds(value, row);
  }
  setNull(row: number, timeMs: number): void {
    if (timeMs <= this.times[row]!) return;
    this.times[row] = timeMs;
    this.values.doubles[row] = -Infinity;
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

class FirstInt64 implements Int64Column {
  readonly form = "int64";
  readonly rowBytes = 16;
  values = new Int64Values();
  times = new Float64Array(0);

  get extraBytes(): number {
    return this.values.extraBytes;
  }
  set(row: number, timeMs: number, value: Int64): void {
    const known = this.times[row]!;
    if (timeMs < known || (timeMs === known && this.#wins(row, value))) {
      this.times[row] = timeMs;
      this.values.put(row, value);
    }
  }
  #wins(row: number, value: Int64): boolean {
    return typeof value === "number" ? value < this.values.doubles[row]! : this.values.fallsBelow(value, row);
  }
  setNull(row: number, timeMs: number): void {
    if (timeMs > this.times[row]!) return;
    this.times[row] = timeMs;
    this.values.doubles[row] = -Infinity;
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

class LeastInt64 implements Int64Column {
  readonly form = "int64";
  readonly rowBytes = 8;
  values = new Int64Values();

  get extraBytes(): number {
    return this.values.extraBytes;
  }
  set(row: number, _timeMs: number, value: Int64): void {
    const known = this.values.doubles[row]!;
    if (typeof value === "number" ? !(known <= value) : Number.isNaN(known) || this.values.fallsBelow(value, row)) {
      this.values.put(row, value);
    }
  }
  setNull(row: number): void {
    this.values.doubles[row] = -Infinity;
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

class GreatestInt64 implements Int64Column {
  readonly form = "int64";
  readonly rowBytes = 8;
  values = new Int64Values();

  get extraBytes(): number {
    return this.values.extraBytes;
  }
  set(row: number, _timeMs: number, value: Int64): void {
    const known = this.values.doubles[row]!;
    if (typeof value === "number" ? !(known >= value) : Number.isNaN(known) || this.values.exceeds(value, row)) {
      this.values.put(row, value);
    }
  }
  setNull(row: number): void {
    if (Number.isNaN(this.values.doubles[row]!)) this.values.doubles[row] = -Infinity;
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

/** What is added to a counter, wrapping at 64 bits. */
export class CounterColumn implements CounterSink, WindowColumn {
  readonly form = "counter";
  readonly rowBytes = 8;
  values = new Int64Values();

  get extraBytes(): number {
    return this.values.extraBytes;
  }
  add(row: number, value: Int64): void {
    const known = this.values.doubles[row]!;
    if (typeof value === "number") {
      const sum = known + value;
      if (sum >= -safeMax && sum <= safeMax && known >= -safeMax && known <= safeMax) {
        this.values.doubles[row] = sum;
        return;
      }
    }
    this.#addExactly(row, known, value);
  }
  #addExactly(row: number, known: number, value: Int64): void {
    if (Number.isNaN(known)) {
      this.values.put(row, value);
      return;
    }
    const before = Number.isSafeInteger(known) ? BigInt(known) : this.values.exact![row]!;
    const sum = BigInt.asIntN(64, before + BigInt(value));
    this.values.put(row, Number.isSafeInteger(Number(sum)) ? Number(sum) : sum);
  }
  grow(capacity: number): void {
    this.values.grow(capacity);
  }
  reset(count: number): void {
    this.values.reset(count);
  }
  column(count: number): PropertyColumn | undefined {
    const states = statesOf(count, this.values.doubles);
    if (states === "none") return undefined;
    const exact = this.values.exactColumn(count);
    return {
      form: "counter",
      ...(states !== undefined && { states }),
      values: this.values.doubles.subarray(0, count),
      ...(exact !== undefined && { exact }),
    };
  }
}

function timedColumn(
  count: number,
  values: Int64Values,
  times: Float64Array,
  own: Float64Array,
): PropertyColumn | undefined {
  const states = statesOf(count, values.doubles);
  if (states === "none") return undefined;
  const timesMs = differingTimes(count, times, own, states);
  const exact = values.exactColumn(count);
  return {
    form: "int64",
    ...(states !== undefined && { states }),
    ...(timesMs !== undefined && { timesMs }),
    values: values.doubles.subarray(0, count),
    ...(exact !== undefined && { exact }),
  };
}

function untimedColumn(count: number, values: Int64Values): PropertyColumn | undefined {
  const states = statesOf(count, values.doubles);
  if (states === "none") return undefined;
  const exact = values.exactColumn(count);
  return {
    form: "int64",
    ...(states !== undefined && { states }),
    values: values.doubles.subarray(0, count),
    ...(exact !== undefined && { exact }),
  };
}
