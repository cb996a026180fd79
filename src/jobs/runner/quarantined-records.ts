// The records of one window that its job could not handle: with their bytes, their position and the cause, to be committed with the window.
import type { JobTransaction, RecordFrame } from "../../log/port.ts";
import { encodeQuarantineRecord } from "../../model/quarantine.ts";
import { resultCodes } from "../plan/result.ts";

export class QuarantinedRecords {
  sizeBytes = 0;
  readonly #stage: string;
  #records: Uint8Array[] = [];

  constructor(event: string) {
    this.#stage = `jobs.${event}`;
  }

  add(frame: RecordFrame, i: number, offset: number, result: number, message: string): void {
    const record = encodeQuarantineRecord({
      stage: this.#stage,
      code: resultCodes[result]!,
      message,
      topic: frame.topic,
      partition: frame.partition,
      offset,
      receivedMs: frame.timestampMs,
      bytes: frame.values.bytes.subarray(frame.values.starts[i], frame.values.starts[i + 1]),
    });
    this.#records.push(record);
    this.sizeBytes += record.length;
  }

  /** The records for `quarantine.jobs.<event>`, and a fresh start. */
  take(): JobTransaction["quarantined"] {
    if (this.#records.length === 0) return undefined;
    const starts = new Uint32Array(this.#records.length + 1);
    this.#records.forEach((record, i) => {
      starts[i + 1] = starts[i]! + record.length;
    });
    const values = { bytes: Buffer.concat(this.#records), starts };
    const batch = { count: this.#records.length, values };
    this.#records = [];
    this.sizeBytes = 0;
    return { topic: `quarantine.${this.#stage}`, batch };
  }
}
