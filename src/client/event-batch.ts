// Events that are sent in one request, and what the batch waits for.
import { RdgError } from "../core/errors.ts";

export interface Sent {
  /** The last position per partition of the request that the event was in: fit for `waitFor`. */
  readonly positions: readonly string[];
}

/** An event that is not durable yet. */
export interface PendingEvent {
  readonly line: string;
  readonly bytes: number;
  readonly key: string;
  /** Nobody waits for it any more. What has gone out already cannot be taken back. */
  isGivenUp: boolean;
  readonly resolve: (sent: Sent) => void;
  readonly reject: (error: unknown) => void;
}

export class EventBatch {
  readonly events: PendingEvent[] = [];
  bytes = 0;
  /** Aborted when it takes no more. */
  readonly filled = new AbortController();
  /** Earlier batches with an event of the same key: until they have ended, this one is not sent, so that the order per key holds. */
  readonly waitsFor = new Set<EventBatch>();
  readonly followers = new Set<EventBatch>();

  add(event: PendingEvent, before: EventBatch | undefined): void {
    this.events.push(event);
    this.bytes += event.bytes;
    if (before === undefined || before === this) return;
    this.waitsFor.add(before);
    before.followers.add(this);
  }

  end(): void {
    for (const follower of this.followers) follower.waitsFor.delete(this);
  }
}

interface BadRecord {
  readonly index: number;
  readonly field?: string;
  readonly code: string;
  readonly reason: string;
}

/**
 * When a request was refused because of single events, nothing of it is stored: those that are named get an error each, the others may be sent anew.
 * @returns undefined when the request failed as a whole
 */
export function withoutRefused(events: readonly PendingEvent[], error: unknown): readonly PendingEvent[] | undefined {
  if (!(error instanceof RdgError) || error.code !== "bad_records") return undefined;
  const { problems } = (error.details ?? {}) as { readonly problems?: readonly BadRecord[] };
  const problemOf = new Map<PendingEvent, BadRecord>();
  for (const problem of problems ?? []) {
    const event = events[problem.index];
    if (event !== undefined && !problemOf.has(event)) problemOf.set(event, problem);
  }
  if (problemOf.size === 0) return undefined;
  for (const [event, problem] of problemOf) {
    const details = { problems: [{ ...problem, index: 0 }], problemCount: 1 };
    const place = problem.field === undefined ? "record" : `record, ${problem.field}`;
    event.reject(
      new RdgError("invalid", "bad_records", `The event is not valid: ${problem.reason}.`, {
        place,
        hint: "Correct the event; nothing of it was stored.",
        details,
      }),
    );
  }
  return events.filter((event) => !problemOf.has(event));
}
