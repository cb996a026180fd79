// Words why an event is quarantined, off the hot path: the compiled functions only return a number.
import { describeError } from "../../core/errors.ts";
import { keyBytesMax } from "../../model/avro/json-values.ts";
import type { EventModel } from "../../model/definition.ts";
import { decodeRecord } from "./decode.ts";
import { idTooLong, malformedRecord, nestedItemsMax, resultCodes, timeInFuture, tooManyItems } from "./result.ts";

export function explainResult(
  result: number,
  event: EventModel,
  skewMaxMs: number,
  last: { readonly bytes: Uint8Array; readonly start: number; readonly end: number; readonly receivedMs: number },
): string {
  switch (result) {
    case malformedRecord:
      return whyMalformed(event, last);
    case timeInFuture: {
      const received = new Date(last.receivedMs).toISOString();
      return `The event's time (${event.time}) is more than ${skewMaxMs} ms ahead of its receipt at ${received}.`;
    }
    case idTooLong:
      return `An id that the job computes from the event is longer than ${keyBytesMax} bytes.`;
    case tooManyItems:
      return `Nested arrays of the event hold more than ${nestedItemsMax} items in all.`;
    default:
      return `The event is ${resultCodes[result] ?? "unknown"}.`;
  }
}

function whyMalformed(
  event: EventModel,
  last: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
): string {
  try {
    decodeRecord(event.fields, last.bytes, last.start, last.end);
    return "The record is malformed.";
  } catch (error) {
    return describeError(error);
  }
}
