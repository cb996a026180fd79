// Request bodies of the streaming example, made before anything is measured.
import type { PlaybackGenerator } from "../examples/streaming/generator.ts";
import { lineBytesMax } from "../examples/streaming/line-writer.ts";

export const eventsPerBody = 500;

export function bodiesOf(generator: PlaybackGenerator, events: number, each = eventsPerBody): Uint8Array[] {
  const buffer = new Uint8Array(each * lineBytesMax);
  return Array.from({ length: Math.ceil(events / each) }, () => buffer.slice(0, generator.write(buffer, 0, each)));
}
