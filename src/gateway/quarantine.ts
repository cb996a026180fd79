// Bad records of partial requests, as they came, with the cause, for `quarantine.gateway`.
import type { RecordBatch } from "../log/port.ts";
import { encodeQuarantineRecord } from "../model/quarantine.ts";
import type { BadRecord } from "./findings.ts";
import type { RecordProblem } from "./port.ts";
import type { Target } from "./target.ts";

const stage = "gateway";
export const quarantineTopic = `quarantine.${stage}`;

export function quarantineRecords(
  target: Target,
  body: Buffer,
  records: readonly BadRecord[],
  receivedMs: number,
): Uint8Array[] {
  return records.map(({ start, end, problem }) =>
    quarantineRecord(problem, body.subarray(start, end), receivedMs, target.topic),
  );
}

/** @param topic missing where it is not known where the record belongs */
export function quarantineRecord(
  { code, reason, field }: RecordProblem,
  bytes: Uint8Array,
  receivedMs: number,
  topic?: string,
): Uint8Array {
  const message = field === undefined ? reason : `${field}: ${reason}`;
  return encodeQuarantineRecord({ stage, code, message, topic, receivedMs, bytes });
}

export function quarantineBatch(records: readonly Uint8Array[]): RecordBatch {
  const starts = new Uint32Array(records.length + 1);
  for (const [i, record] of records.entries()) starts[i + 1] = starts[i]! + record.length;
  return { count: records.length, values: { bytes: Buffer.concat(records), starts } };
}
