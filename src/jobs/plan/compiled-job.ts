// What the runner has of a job: one object per job and thread that takes event after event, in two calls with the runner's own dedup between them.
import type { UpdateSink } from "../../model/update/sink.ts";

export interface CompiledJob {
  readonly event: string;
  /** Updates since the caller last reset them. Filtered and quarantined events add nothing. */
  readonly counts: { emitted: number; skipped: number };
  /** What `read` found in the last event. */
  readonly found: {
    timeMs: number;
    /** The bytes of the event's declared `id` field; start is -1 when there is none, or it is absent. */
    idStart: number;
    idEnd: number;
  };
  /**
   * Walks the event `bytes[start, end)`: the record alone, without framing, written with the event's own schema. Verifies all of it and never reads
   * outside. Returns `mapped` when it is well-formed and its time is good, else `malformedRecord` or `timeInFuture`. Keeps `bytes` until `emit`.
   */
  read(bytes: Uint8Array, start: number, end: number, receivedMs: number): number;
  /** After `read` returned `mapped`, at most once: runs the plan. Returns a result of result.ts; writes to the sink only when it is `mapped`. */
  emit(sink: UpdateSink): number;
  /** Both, for events without dedup. */
  process(bytes: Uint8Array, start: number, end: number, receivedMs: number, sink: UpdateSink): number;
  /** Why the event that was last read is quarantined, as a sentence for people; off the hot path. */
  explain(result: number): string;
  /** The generated function, or the user's. */
  printSource(): string;
}
