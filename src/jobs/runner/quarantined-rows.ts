// Records of a team's topic that are no rows, kept in `quarantine.inputs.<name>`: once, although every worker reads the whole topic, and again after each start.
import type { Log, Producer, RecordBatch } from "../../log/port.ts";
import { decodeQuarantineRecord, encodeQuarantineRecord, type QuarantineRecord } from "../../model/quarantine.ts";

export interface QuarantinedRowsOptions {
  /** Name of the side input. */
  readonly input: string;
  readonly log: Log;
  /** Of this process. */
  readonly producer: () => Promise<Producer>;
}

/** Positions that are known to be kept; of more, the earliest are forgotten, and kept again after a start. */
const knownMax = 200_000;
const batchBytesMax = 1_000_000;

export class QuarantinedRows {
  readonly #options: QuarantinedRowsOptions;
  readonly #topic: string;
  readonly #known = new Set<string>();
  /** How far the quarantine was read. */
  #next = 0;

  constructor(options: QuarantinedRowsOptions) {
    this.#options = options;
    this.#topic = `quarantine.inputs.${options.input}`;
  }

  /** Resolves when all of them are kept, by this worker or another one. */
  async add(records: readonly QuarantineRecord[]): Promise<void> {
    await this.#catchUp();
    const missing = records.filter((record) => !this.#known.has(positionOf(record)));
    if (missing.length === 0) return;
    const producer = await this.#options.producer();
    for (const { key, batch } of batchesOf(missing)) {
      // Another worker may be about to keep the same.
      await producer.append(this.#topic, 0, { ...batch, idempotencyKey: key });
    }
  }

  async #catchUp(): Promise<void> {
    const topic = this.#topic;
    const from = [{ topic, partition: 0, offset: this.#next }];
    for await (const { count, values, firstOffset, offsets } of this.#options.log.read({
      topics: [topic],
      from,
      until: [],
    })) {
      for (let i = 0; i < count; i++) {
        const record = values.bytes.subarray(values.starts[i], values.starts[i + 1]);
        this.#remember(positionOf(decodeQuarantineRecord(record)));
      }
      this.#next = firstOffset + (offsets?.[count - 1] ?? count - 1) + 1;
    }
  }

  #remember(position: string): void {
    this.#known.add(position);
    if (this.#known.size <= knownMax) return;
    for (const earliest of this.#known) {
      this.#known.delete(earliest);
      return;
    }
  }
}

const positionOf = ({ partition, offset }: QuarantineRecord): string => `${partition}@${offset}`;

/** Batches by the records' own sizes, so that workers that keep the same records name them alike. */
function* batchesOf(records: readonly QuarantineRecord[]): Iterable<{ key: string; batch: RecordBatch }> {
  let [first, size] = [0, 0];
  for (const [i, { bytes }] of records.entries()) {
    size += bytes.length;
    if (size < batchBytesMax && i < records.length - 1) continue;
    const values = records.slice(first, i + 1).map(encodeQuarantineRecord);
    const starts = new Uint32Array(values.length + 1);
    for (const [j, value] of values.entries()) starts[j + 1] = starts[j]! + value.length;
    const key = `${positionOf(records[first]!)}-${records[i]!.offset}`;
    yield { key, batch: { count: values.length, values: { bytes: Buffer.concat(values), starts } } };
    [first, size] = [i + 1, 0];
  }
}
