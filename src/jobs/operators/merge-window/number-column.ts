// Registers of numbers in the merge window: one class per policy, so that the calls of generated code are monomorphic and inline. Hot path.
//
// In memory a null is -Infinity, which sorts below every value as the encoded null does, and "no contribution" is NaN, which every comparison refuses:
// values are finite (docs/SEMANTICS.md, section 10), so the register needs no state beside its value.
import { type PropertyColumn, stateAbsent, stateNull, stateValue } from "../../../model/update/batch.ts";
import type { NumberSink } from "../../../model/update/sink.ts";
import { differingTimes, grownFloats, type RowTimes, type WindowColumn } from "./column.ts";

type NumberColumn = NumberSink & WindowColumn;

export function numberColumn(merge: "last" | "first" | "min" | "max"): NumberColumn {
  switch (merge) {
    case "last":
      return new LastNumber();
    case "first":
      return new FirstNumber();
    case "min":
      return new LeastNumber();
    case "max":
      return new GreatestNumber();
  }
}

class LastNumber implements NumberColumn {
  readonly form = "number";
  readonly rowBytes = 16;
  readonly extraBytes = 0;
  values = new Float64Array(0);
  times = new Float64Array(0);

  set(row: number, timeMs: number, value: number): void {
    const known = this.times[row]!;
    if (timeMs > known || (timeMs === known && value > this.values[row]!)) {
      this.times[row] = timeMs;
      this.values[row] = value + 0;
    }
  }
  setNull(row: number, timeMs: number): void {
    this.set(row, timeMs, -Infinity);
  }
  grow(capacity: number): void {
    this.values = grownFloats(this.values, capacity, NaN);
    this.times = grownFloats(this.times, capacity, -Infinity);
  }
  reset(count: number): void {
    this.values.fill(NaN, 0, count);
    this.times.fill(-Infinity, 0, count);
  }
  column(count: number, rows: RowTimes): PropertyColumn | undefined {
    return timedColumn(count, this.values, this.times, rows.lastSeen);
  }
}

class FirstNumber implements NumberColumn {
  readonly form = "number";
  readonly rowBytes = 16;
  readonly extraBytes = 0;
  values = new Float64Array(0);
  times = new Float64Array(0);

  set(row: number, timeMs: number, value: number): void {
    const known = this.times[row]!;
    if (timeMs < known || (timeMs === known && value < this.values[row]!)) {
      this.times[row] = timeMs;
      this.values[row] = value + 0;
    }
  }
  setNull(row: number, timeMs: number): void {
    this.set(row, timeMs, -Infinity);
  }
  grow(capacity: number): void {
    this.values = grownFloats(this.values, capacity, NaN);
    this.times = grownFloats(this.times, capacity, Infinity);
  }
  reset(count: number): void {
    this.values.fill(NaN, 0, count);
    this.times.fill(Infinity, 0, count);
  }
  column(count: number, rows: RowTimes): PropertyColumn | undefined {
    return timedColumn(count, this.values, this.times, rows.firstSeen);
  }
}

class LeastNumber implements NumberColumn {
  readonly form = "number";
  readonly rowBytes = 8;
  readonly extraBytes = 0;
  values = new Float64Array(0);

  set(row: number, _timeMs: number, value: number): void {
    if (!(this.values[row]! <= value)) this.values[row] = value + 0;
  }
  setNull(row: number): void {
    this.values[row] = -Infinity;
  }
  grow(capacity: number): void {
    this.values = grownFloats(this.values, capacity, NaN);
  }
  reset(count: number): void {
    this.values.fill(NaN, 0, count);
  }
  column(count: number): PropertyColumn | undefined {
    return untimedColumn(count, this.values);
  }
}

class GreatestNumber implements NumberColumn {
  readonly form = "number";
  readonly rowBytes = 8;
  readonly extraBytes = 0;
  values = new Float64Array(0);

  set(row: number, _timeMs: number, value: number): void {
    if (!(this.values[row]! >= value)) this.values[row] = value + 0;
  }
  setNull(row: number, timeMs: number): void {
    this.set(row, timeMs, -Infinity);
  }
  grow(capacity: number): void {
    this.values = grownFloats(this.values, capacity, NaN);
  }
  reset(count: number): void {
    this.values.fill(NaN, 0, count);
  }
  column(count: number): PropertyColumn | undefined {
    return untimedColumn(count, this.values);
  }
}

function timedColumn(
  count: number,
  values: Float64Array,
  times: Float64Array,
  own: Float64Array,
): PropertyColumn | undefined {
  const states = statesOf(count, values);
  if (states === "none") return undefined;
  const timesMs = differingTimes(count, times, own, states);
  return {
    form: "number",
    ...(states !== undefined && { states }),
    ...(timesMs !== undefined && { timesMs }),
    values: values.subarray(0, count),
  };
}

function untimedColumn(count: number, values: Float64Array): PropertyColumn | undefined {
  const states = statesOf(count, values);
  if (states === "none") return undefined;
  return { form: "number", ...(states !== undefined && { states }), values: values.subarray(0, count) };
}

/** States that stand in the values: NaN absent, -Infinity null. Undefined when all rows have a value, "none" when no row has a contribution. */
export function statesOf(count: number, values: Float64Array): Uint8Array | undefined | "none" {
  let row = 0;
  while (row < count && values[row]! > -Infinity) row++;
  if (row === count) return undefined;
  const states = new Uint8Array(count).fill(stateValue, 0, row);
  let given = row;
  for (; row < count; row++) {
    const value = values[row]!;
    if (value > -Infinity) states[row] = stateValue;
    else states[row] = value === -Infinity ? stateNull : stateAbsent;
    if (states[row] !== stateAbsent) given++;
  }
  return given === 0 ? "none" : states;
}
