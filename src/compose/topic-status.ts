// What status tells of a topic.
import type { LogReader } from "../log/port.ts";
import type { TopicStatus } from "../observe/port.ts";

export async function topicStatus(log: LogReader, name: string): Promise<TopicStatus> {
  const bounds = await log.bounds(name);
  return {
    name,
    partitions: bounds.map(({ first, next }) => ({ first, next })),
    sizeBytes: bounds.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}
