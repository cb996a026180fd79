// Reads any topic as single records for people: decoded, with positions and times of receipt. Off the hot path.
import { RdgError } from "../core/errors.ts";
import type { LogReader, RecordFrame, UpdateFrame } from "../log/port.ts";
import type { GraphModel } from "../model/definition.ts";
import type { Position } from "../model/position.ts";
import { updateRows, type UpdateRow } from "../model/update/rows.ts";
import type { TopicRecord } from "./port.ts";

export interface TopicQuery {
  readonly topic: string;
  /** `start`, an offset of every partition, or a time; undefined: from now on. */
  readonly from: "start" | { readonly offset: number } | { readonly timeMs: number } | undefined;
  readonly until: { readonly offset: number } | { readonly timeMs: number } | undefined;
  readonly key: string | undefined;
  readonly limit: number;
  /** Whether to wait for more at the end. */
  readonly follow: boolean;
}

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
export async function* readTopic(
  options: TopicReaderOptions,
  query: TopicQuery,
  signal: AbortSignal,
): AsyncGenerator<TopicRecord> {
  const topics = await options.log.topics();
  const settings = topics.find(({ name }) => name === query.topic);
  if (settings === undefined) {
    throw new RdgError("not_found", "unknown_topic", `There is no topic "${query.topic}".`, {
      hint: `Topics are: ${topics.map(({ name }) => name).join(", ")}.`,
    });
  }
  const records = settings.form === "updates" ? updatesOf(options, query, signal) : recordsOf(options, query, signal);
  let count = 0;
  for await (const record of records) {
    if (query.key !== undefined && record.key !== query.key) continue;
    yield record;
    if (++count >= query.limit) return;
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
  const [kind, type] = [topic.startsWith("nodes.") ? "node" : "edge", topic.slice("nodes.".length)];
  for (const row of updateRows(model, batch)) {
    if (row.kind !== kind || row.type !== type) continue;
    const place = { topic, partition: 0, offset: frame.offset, receivedAt: timeText(frame.timestampMs) };
    yield { ...place, key: row.kind === "node" ? row.id : row.from, value: valueOf(row) };
  }
}

/** Times as text, int64 as decimal text, bytes as base64. */
function valueOf(row: UpdateRow): unknown {
  const times = {
    ...(Number.isFinite(row.firstSeenMs) ? { firstSeen: timeText(row.firstSeenMs) } : {}),
    ...(Number.isFinite(row.lastSeenMs) ? { lastSeen: timeText(row.lastSeenMs) } : {}),
    ...(row.removedAtMs === undefined ? {} : { removedAt: timeText(row.removedAtMs) }),
  };
  const ends = row.kind === "node" ? { id: row.id } : { from: row.from, to: row.to };
  return { ...ends, ...times, properties: row.properties };
}

const isTime = (bound: TopicQuery["from"]): bound is { timeMs: number } =>
  typeof bound === "object" && "timeMs" in bound;
const isOffset = (bound: TopicQuery["from"]): bound is { offset: number } =>
  typeof bound === "object" && "offset" in bound;
const timeText = (timeMs: number): string => new Date(timeMs).toISOString();
