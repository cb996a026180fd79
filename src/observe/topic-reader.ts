// Reads any topic as single records for people: decoded, with positions and times of receipt. Off the hot path.
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";
import type { LogReader, RecordFrame, UpdateFrame } from "../log/port.ts";
import type { GraphModel } from "../model/definition.ts";
import type { Position } from "../model/position.ts";
import { updateRowsOf, type UpdateRow } from "../model/update/rows.ts";
import type { TopicQuery, TopicRecord } from "./port.ts";

/** Turns the bytes of a record into the JSON form of its value, and says its key. */
export interface RecordView {
  (frame: RecordFrame, i: number): Promise<{ readonly key?: string; readonly value: unknown }>;
}

export interface TopicReaderOptions {
  readonly log: LogReader;
  readonly model: GraphModel;
  readonly viewOf: (topic: string) => RecordView;
}

/** @throws RdgError `not_found` (`unknown_topic`) */
export async function openTopic(
  options: TopicReaderOptions,
  query: TopicQuery,
  signal: AbortSignal,
): Promise<AsyncIterable<TopicRecord>> {
  const topics = await options.log.topics();
  const settings = topics.find(({ name }) => name === query.topic);
  if (settings === undefined) {
    throw new RdgError("not_found", "unknown_topic", `There is no topic "${query.topic.slice(0, 100)}".`, {
      hint: didYouMean(
        query.topic,
        topics.map(({ name }) => name),
        100,
      ),
    });
  }
  const records = settings.form === "updates" ? updatesOf(options, query, signal) : recordsOf(options, query, signal);
  return wanted(records, query);
}

async function* wanted(records: AsyncIterable<TopicRecord>, { key, limit }: TopicQuery): AsyncGenerator<TopicRecord> {
  let count = 0;
  for await (const record of records) {
    if (key !== undefined && record.key !== key) continue;
    yield record;
    if (++count >= limit) return;
  }
}

async function* recordsOf(
  options: TopicReaderOptions,
  query: TopicQuery,
  signal: AbortSignal,
): AsyncGenerator<TopicRecord> {
  const view = options.viewOf(query.topic);
  const bounds = await options.log.bounds(query.topic);
  const from = bounds.map(({ partition, first, next }): Position => {
    if (query.from === undefined) return { topic: query.topic, partition, offset: next };
    const offset = typeof query.from === "object" && "offset" in query.from ? query.from.offset : first;
    return { topic: query.topic, partition, offset: Math.max(first, offset) };
  });
  const ends = bounds.map(({ partition, next }): Position => ({ topic: query.topic, partition, offset: next - 1 }));
  const frames = options.log.read({
    topics: [query.topic],
    from,
    signal,
    ...(isTime(query.from) ? { fromTimestampMs: query.from.timeMs } : {}),
    ...(query.follow ? {} : { until: ends }),
  });
  for await (const frame of frames) {
    if (isTime(query.from) && frame.timestampMs < query.from.timeMs) continue;
    if (isTime(query.until) && frame.timestampMs >= query.until.timeMs) return;
    for (let i = 0; i < frame.count; i++) {
      const offset = frame.firstOffset + (frame.offsets?.[i] ?? i);
      if (isOffset(query.from) && offset < query.from.offset) continue;
      if (isOffset(query.until) && offset > query.until.offset) continue;
      const { partition, timestampMs } = frame;
      yield { topic: query.topic, partition, offset, receivedAt: timeText(timestampMs), ...(await view(frame, i)) };
    }
  }
}

/** Type topics: the updates of their type, one record per element of each transaction. */
async function* updatesOf(
  options: TopicReaderOptions,
  query: TopicQuery,
  signal: AbortSignal,
): AsyncGenerator<TopicRecord> {
  const [bounds] = await options.log.bounds(query.topic);
  const { first, next } = bounds!;
  const from = query.from === undefined ? next : isOffset(query.from) ? Math.max(first, query.from.offset) : first;
  if (!query.follow && from >= next) return;
  const frames = options.log.readUpdates({ from, signal, ...(query.follow ? {} : { until: next - 1 }) });
  for await (const frame of frames) {
    if (isTime(query.from) && frame.timestampMs < query.from.timeMs) continue;
    if (isTime(query.until) && frame.timestampMs >= query.until.timeMs) return;
    if (isOffset(query.until) && frame.offset > query.until.offset) return;
    yield* recordsOfTransaction(options.model, query.topic, frame);
  }
}

function* recordsOfTransaction(model: GraphModel, topic: string, frame: UpdateFrame): Generator<TopicRecord> {
  const batch = frame.updates();
  if (batch === undefined) return;
  const kind = topic.startsWith("nodes.") ? "node" : "edge";
  for (const row of updateRowsOf(model, batch, kind, topic.slice(topic.indexOf(".") + 1))) {
    const place = { topic, partition: 0, offset: frame.offset, receivedAt: timeText(frame.timestampMs) };
    yield { ...place, key: row.kind === "node" ? row.id : row.from, value: valueOf(row) };
  }
}

/** What the transaction says of one element: its ids, its times, and each property's value with the time it was said for. */
function valueOf(row: UpdateRow): unknown {
  const ends = row.kind === "node" ? { id: row.id } : { from: row.from, to: row.to };
  const times = Object.entries({ firstSeen: row.firstSeenMs, lastSeen: row.lastSeenMs, removedAt: row.removedAtMs });
  const known = times.flatMap(([name, timeMs]) => (timeMs === undefined ? [] : [[name, timeText(timeMs)]]));
  return { ...ends, ...Object.fromEntries(known), properties: JSON.parse(JSON.stringify(row.properties, plainValue)) };
}

function plainValue(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}

const isTime = (bound: TopicQuery["from"]): bound is { timeMs: number } =>
  typeof bound === "object" && "timeMs" in bound;
const isOffset = (bound: TopicQuery["from"]): bound is { offset: number } =>
  typeof bound === "object" && "offset" in bound;
const timeText = (timeMs: number): string => new Date(timeMs).toISOString();
