// The records of one window that its job could not handle: with their bytes, their position and the cause, to be committed with the window.
import type { JobTransaction, RecordFrame } from "../../log/port.ts";
import { encodeQuarantineRecord } from "../../model/quarantine.ts";
import { resultCodes } from "../plan/result.ts";

const messages: Readonly<Record<string, string>> = {
  malformed_record: "The record's bytes are not one well-formed record of the event's schema.",
  time_in_future: "The event time is further ahead of the time of receipt than the allowed skew.",
  id_too_long: "An id that the job makes is longer than 1,024 bytes.",
  function_failed: "The job's function threw.",
  bad_update: "The job's function returned what is no update of the job's types.",
};

export class QuarantinedRecords {
  sizeBytes = 0;
  readonly #stage: string;
  #records: Uint8Array[] = [];

  constructor(event: string) {
    this.#stage = `jobs.${event}`;
  }

  /** `detail` says more, where the result alone does not. */
  add(frame: RecordFrame, i: number, offset: number, result: number, detail: string | undefined): void {
    const code = resultCodes[result]!;
    const record = encodeQuarantineRecord({
      stage: this.#stage,
      code,
      message: detail === undefined ? messages[code]! : `${messages[code]!} ${detail}`,
      topic: frame.topic,
      partition: frame.partition,
      offset,
      receivedMs: frame.timestampMs,
      bytes: frame.values.bytes.subarray(frame.values.starts[i]!, frame.values.starts[i + 1]!),
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
