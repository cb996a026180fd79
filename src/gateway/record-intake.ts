// The slow path: one record as a JavaScript value, checked by the model's definition of validity and written as Avro. It words every problem, and what it
// accepts and writes is what the fast path must accept and write.
import { AvroWriter } from "../model/avro/avro-writer.ts";
import { type RecordValidator, compileRecordValidator } from "../model/avro/json-record.ts";
import { keyBytesMax } from "../model/avro/json-values.ts";
import { type RecordEncoder, compileRecordEncoder, timestampOf } from "../model/avro/record-encoder.ts";
import { partitionOf } from "../model/partitioner.ts";
import type { FieldModel } from "../model/value-type.ts";
import type { Finding } from "./findings.ts";
import type { RecordOutput } from "./record-output.ts";

export interface IntakeOptions {
  readonly fields: readonly FieldModel[];
  readonly key: string;
  /** The field with the event time; undefined for a side input, whose rows have none and may be deleted. */
  readonly time: string | undefined;
  readonly schemaId: number;
}

/** The only name of an object that deletes a side input's row: `{"$delete": "<key>"}`. No field can have this name. */
const deletion = "$delete";

export class RecordIntake {
  readonly #options: IntakeOptions;
  readonly #validate: RecordValidator;
  readonly #encode: RecordEncoder;
  readonly #writer = new AvroWriter();
  readonly #outputs: readonly RecordOutput[];

  constructor(options: IntakeOptions, outputs: readonly RecordOutput[]) {
    this.#options = options;
    this.#outputs = outputs;
    this.#validate = compileRecordValidator(options.fields, options.key);
    this.#encode = compileRecordEncoder(options.fields);
  }

  /** Appends the record to its partition's output, or says why not. */
  accept(value: unknown, timeMaxMs: number): readonly Finding[] {
    const { key, time } = this.#options;
    if (time === undefined && isDeletion(value)) return this.#delete(value[deletion]);
    const problems = this.#validate(value);
    if (problems.length > 0) return problems;
    const record = value as Readonly<Record<string, unknown>>;
    if (time !== undefined && timestampOf(record[time]) > timeMaxMs)
      return [inFuture(time, timestampOf(record[time]), timeMaxMs)];
    this.#append(record, Buffer.from(record[key] as string));
    return [];
  }

  #append(record: object, key: Buffer): void {
    this.#writer.reset();
    this.#writer.byte(0);
    for (const shift of [24, 16, 8, 0]) this.#writer.byte((this.#options.schemaId >>> shift) & 255);
    this.#encode(record, this.#writer);
    const { bytes, length } = this.#writer;
    const output = this.#outputOf(key);
    output.reserve(length);
    output.bytes.set(bytes.subarray(0, length), output.length);
    output.add(output.length + length, key, 0, key.length);
  }

  #delete(key: unknown): readonly Finding[] {
    if (typeof key !== "string" || !key.isWellFormed()) {
      return [{ field: deletion, code: "bad_key", reason: "the key of the row to delete is expected, as a text" }];
    }
    const bytes = Buffer.from(key);
    if (bytes.length < 1 || bytes.length > keyBytesMax) {
      const reason = `a key has 1 to ${keyBytesMax} bytes, this one has ${bytes.length}`;
      return [{ field: deletion, code: "bad_key", reason }];
    }
    this.#outputOf(bytes).addNull(bytes);
    return [];
  }

  #outputOf(key: Uint8Array): RecordOutput {
    return this.#outputs[partitionOf(key, 0, key.length, this.#outputs.length)]!;
  }
}

function isDeletion(value: unknown): value is Readonly<Record<typeof deletion, unknown>> {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, deletion)) return false;
  return Object.keys(value).length === 1;
}

function inFuture(field: string, timeMs: number, timeMaxMs: number): Finding {
  const aheadMs = timeMs - timeMaxMs;
  return {
    field,
    code: "time_in_future",
    reason: `the event time ${new Date(timeMs).toISOString()} is ${aheadMs} ms further in the future than the allowed skew`,
  };
}
