// Bad records of partial requests, as they came, with the cause, for `quarantine.gateway`.
import type { RecordBatch } from "../log/port.ts";
import { encodeQuarantineRecord } from "../model/quarantine.ts";
import type { BadRecord } from "./findings.ts";
import type { Target } from "./target.ts";

const stage = "gateway";
export const quarantineTopic = `quarantine.${stage}`;

export function quarantineBatch(
  target: Target,
  body: Buffer,
  records: readonly BadRecord[],
  receivedMs: number,
): RecordBatch {
  const starts = new Uint32Array(records.length + 1);
  const encoded = records.map(({ start, end, problem }, i) => {
    const { code, reason, field } = problem;
    const message = field === undefined ? reason : `${field}: ${reason}`;
    const bytes = body.subarray(start, end);
    const record = encodeQuarantineRecord({ stage, code, message, topic: target.topic, receivedMs, bytes });
    starts[i + 1] = starts[i]! + record.length;
    return record;
  });
  return { count: records.length, values: { bytes: Buffer.concat(encoded), starts } };
}
