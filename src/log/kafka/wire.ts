// The two requests of Kafka that carry records, with the batches as bytes: the client's own make an object of each record.
import { createAPI, type Reader, Writer } from "@platformatic/kafka";

export interface ProduceRequest {
  readonly transactionalId: string | null;
  readonly timeoutMs: number;
  readonly batches: readonly { readonly topic: string; readonly partition: number; readonly bytes: Buffer }[];
}

export interface Produced {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: number;
  /** -1 unless the topic takes its times from the broker. */
  readonly logAppendTimeMs: number;
}

const allReplicas = -1;

/** Produce, version 8. */
export const produce = createAPI<[ProduceRequest], readonly Produced[]>(
  0,
  8,
  ({ transactionalId, timeoutMs, batches }: ProduceRequest) =>
    Writer.create()
      .appendString(transactionalId, false)
      .appendInt16(allReplicas)
      .appendInt32(timeoutMs)
      .appendArray(
        [...batches],
        (writer, { topic, partition, bytes }) =>
          writer
            .appendString(topic, false)
            .appendInt32(1)
            .appendInt32(partition)
            .appendInt32(bytes.length)
            .append(bytes),
        false,
        false,
      ),
  (_correlation, _key, _version, reader) => {
    const topics = reader.readArray(readProducedTopic, false, false);
    reader.readInt32();
    return topics.flat();
  },
  false,
  false,
);

function readProducedTopic(reader: Reader): Produced[] {
  const topic = reader.readString(false);
  return reader.readArray(
    (r) => {
      const produced = {
        topic,
        partition: r.readInt32(),
        errorCode: r.readInt16(),
        baseOffset: Number(r.readInt64()),
        logAppendTimeMs: Number(r.readInt64()),
      };
      r.readInt64();
      r.readArray((record) => [record.readInt32(), record.readNullableString(false)], false, false);
      r.readNullableString(false);
      return produced;
    },
    false,
    false,
  );
}

export interface FetchRequest {
  readonly waitMs: number;
  readonly bytesMax: number;
  readonly committedOnly: boolean;
  readonly partitions: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[];
}

export interface Fetched {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** Readers of committed records see what is below. */
  readonly stableEnd: number;
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
  readonly records: Buffer | undefined;
}

/** Fetch, version 11: the last one that names topics and has no tagged fields. */
export const fetchRecords = createAPI<[FetchRequest], readonly Fetched[]>(
  1,
  11,
  ({ waitMs, bytesMax, committedOnly, partitions }: FetchRequest) =>
    Writer.create()
      .appendInt32(-1)
      .appendInt32(waitMs)
      .appendInt32(1)
      .appendInt32(bytesMax)
      .appendInt8(committedOnly ? 1 : 0)
      .appendInt32(0)
      .appendInt32(-1)
      .appendArray(
        [...partitions],
        (writer, { topic, partition, offset }) =>
          writer
            .appendString(topic, false)
            .appendInt32(1)
            .appendInt32(partition)
            .appendInt32(-1)
            .appendInt64(BigInt(offset))
            .appendInt64(-1n)
            .appendInt32(bytesMax),
        false,
        false,
      )
      .appendInt32(0)
      .appendString("", false),
  (_correlation, _key, _version, reader) => {
    reader.readInt32();
    const errorCode = reader.readInt16();
    reader.readInt32();
    const fetched = reader.readArray(readFetchedTopic, false, false).flat();
    return errorCode === 0 ? fetched : fetched.map((one) => ({ ...one, errorCode }));
  },
  false,
  false,
);

function readFetchedTopic(reader: Reader): Fetched[] {
  const topic = reader.readString(false);
  return reader.readArray(
    (r) => {
      const [partition, errorCode] = [r.readInt32(), r.readInt16()];
      r.readInt64();
      const stableEnd = Number(r.readInt64());
      r.readInt64();
      const readAborted = (a: Reader): Fetched["aborted"][number] => ({
        producerId: a.readInt64(),
        firstOffset: Number(a.readInt64()),
      });
      const aborted = r.readNullableArray(readAborted, false, false) ?? [];
      r.readInt32();
      const size = r.readInt32();
      const records = size > 0 ? r.buffer.subarray(r.position, r.position + size).buffer : undefined;
      if (size > 0) r.skip(size);
      return { topic, partition, errorCode, stableEnd, aborted, records };
    },
    false,
    false,
  );
}
