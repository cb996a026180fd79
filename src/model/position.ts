// A position names one record of the log: topic, partition and offset, written `<topic>/<partition>@<offset>`.
import { RdgError } from "../core/errors.ts";

export interface Position {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the record, from 0; grows within a partition, need not be dense. */
  readonly offset: number;
}

export function formatPosition(position: Position): string {
  return `${position.topic}/${position.partition}@${position.offset}`;
}

/** @throws RdgError invalid, `bad_position` */
export function parsePosition(text: string): Position {
  const match = /^(?<topic>[A-Za-z0-9_.-]+)\/(?<partition>\d{1,6})@(?<offset>\d{1,16})$/.exec(text);
  if (!match?.groups) {
    throw new RdgError("invalid", "bad_position", `"${text.slice(0, 100)}" is not a position.`, {
      hint: "A position reads <topic>/<partition>@<offset>, for example events.playback/0@1234.",
    });
  }
  const { topic, partition, offset } = match.groups;
  return { topic: topic!, partition: Number(partition), offset: Number(offset) };
}
