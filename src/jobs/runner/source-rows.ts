// Takes the rows of a side input out of a topic that a team already has: in the team's schemas, under the team's keys, and with records that are no rows.
import { describeError, RdgError } from "../../core/errors.ts";
import type { RecordFrame } from "../../log/port.ts";
import type { EventSource } from "../../model/definition.ts";
import type { QuarantineRecord } from "../../model/quarantine.ts";
import type { SideInputTable } from "../operators/side-input-table.ts";
import { malformedRecord, resultCodes } from "../plan/result.ts";
import { offsetOf } from "./event-processor.ts";
import { framingBytes, schemaIdAt } from "./framing.ts";
import { RecordKeys } from "./record-keys.ts";

/** A row in the side input's own form, and its key in UTF-8. */
export interface ConvertedRow {
  readonly key: Uint8Array;
  readonly row: Uint8Array;
}

/** @throws RdgError when the record cannot be read as a row */
export type ConvertRow = (value: Uint8Array) => ConvertedRow;

/** @throws RdgError `unavailable` when the registry cannot say now; what never can be read is a conversion that throws */
export type FindRowConversion = (schemaId: number) => Promise<ConvertRow>;

export interface SourceRowsOptions {
  /** Name of the side input. */
  readonly input: string;
  readonly source: EventSource;
  readonly table: SideInputTable;
  readonly conversion: FindRowConversion;
  /** Resolves when they are kept. */
  readonly quarantine: (records: readonly QuarantineRecord[]) => Promise<void>;
}

/** Damaged records may name any schema. */
const conversionsMax = 1_000;
const noSchema = 0;

export class SourceRows {
  readonly #options: SourceRowsOptions;
  readonly #conversions = new Map<number, ConvertRow>();
  readonly #keys: RecordKeys;
  /** Before the value of a record. */
  readonly #headBytes: number;

  constructor(options: SourceRowsOptions) {
    this.#options = options;
    this.#headBytes = options.source.values === "json" ? 0 : framingBytes;
    const { table } = options;
    this.#keys = new RecordKeys((key) => table.find(key, 0, key.length, Infinity) !== undefined);
  }

  /** Beside the table. */
  get sizeBytes(): number {
    return this.#keys.sizeBytes;
  }

  /** Answers how many records are no rows: they are as if they had not come. What fails may be taken again. */
  async take(frame: RecordFrame): Promise<number> {
    const refused: QuarantineRecord[] = [];
    for (let i = 0; i < frame.count; i++) {
      const why = await this.#takeOne(frame, i);
      if (why !== undefined) refused.push(this.#quarantined(frame, i, why));
    }
    if (refused.length > 0) await this.#options.quarantine(refused);
    return refused.length;
  }

  /** Answers why the record is no row. */
  async #takeOne(frame: RecordFrame, i: number): Promise<string | undefined> {
    const { table } = this.#options;
    const recordKey = keyAt(frame, i);
    if (frame.nulls?.[i] === 1) {
      if (recordKey === undefined) return "The record has neither a key nor a value.";
      this.#remove(this.#keys.remove(recordKey), frame.timestampMs);
      return undefined;
    }
    const value = valueAt(frame, i);
    const schemaId = this.#headBytes === 0 ? noSchema : schemaIdAt(value, 0, value.length);
    if (schemaId < 0) return "The record is not framed: it does not begin with 0 and a schema id.";
    const convert = await this.#conversion(schemaId);
    try {
      const { key, row } = convert(value.subarray(this.#headBytes));
      this.#remove(this.#keys.put(recordKey, key), frame.timestampMs);
      table.put(key, 0, key.length, frame.timestampMs, row, 0, row.length);
      return undefined;
    } catch (error) {
      if (!(error instanceof RdgError)) throw error;
      const written = this.#headBytes === 0 ? "" : `, written with schema ${schemaId},`;
      return `The record${written} cannot be read as a row of ${this.#options.input}: ${describeError(error)}`;
    }
  }

  #remove(key: Uint8Array | undefined, recordMs: number): void {
    if (key !== undefined) this.#options.table.remove(key, 0, key.length, recordMs);
  }

  async #conversion(schemaId: number): Promise<ConvertRow> {
    const known = this.#conversions.get(schemaId);
    if (known !== undefined) return known;
    const found = await this.#options.conversion(schemaId);
    if (this.#conversions.size >= conversionsMax) this.#conversions.clear();
    this.#conversions.set(schemaId, found);
    return found;
  }

  #quarantined(frame: RecordFrame, i: number, message: string): QuarantineRecord {
    return {
      stage: `inputs.${this.#options.input}`,
      code: resultCodes[malformedRecord],
      message,
      topic: frame.topic,
      partition: frame.partition,
      offset: offsetOf(frame, i),
      receivedMs: frame.timestampMs,
      bytes: frame.nulls?.[i] === 1 ? new Uint8Array() : valueAt(frame, i),
    };
  }
}

/** Without a key, or with an empty one: undefined. */
function keyAt({ keys }: RecordFrame, i: number): Uint8Array | undefined {
  const key = keys?.bytes.subarray(keys.starts[i], keys.starts[i + 1]);
  return key?.length === 0 ? undefined : key;
}

function valueAt({ values }: RecordFrame, i: number): Uint8Array {
  return values.bytes.subarray(values.starts[i], values.starts[i + 1]);
}
