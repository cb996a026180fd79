// Batches made of texts, and texts of frames: what tests of logs are written with.
import type { RecordBatch, RecordFrame } from "./port.ts";

export function batchOf(values: readonly string[], more: Partial<RecordBatch> = {}): RecordBatch {
  return { count: values.length, values: columnOf(values), ...more };
}

export function columnOf(values: readonly string[]): RecordBatch["values"] {
  const starts = new Uint32Array(values.length + 1);
  values.forEach((value, i) => {
    starts[i + 1] = starts[i]! + Buffer.byteLength(value);
  });
  return { bytes: Buffer.from(values.join("")), starts };
}

export function textsOf(frame: RecordFrame): string[] {
  const { bytes, starts } = frame.values;
  return Array.from({ length: frame.count }, (_, i) =>
    Buffer.from(bytes.subarray(starts[i], starts[i + 1])).toString(),
  );
}
