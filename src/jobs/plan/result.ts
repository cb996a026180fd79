// What processing one event came to: small integers on the hot path, a stable code and a sentence for people off it.

/** Updates were written to the sink; none of them when all were skipped. */
export const mapped = 0;
/** A `where` refused the event. */
export const filtered = 1;
/** A repeated event id; never returned by a compiled job, the runner's dedup uses it beside the others. */
export const duplicate = 2;
/** This and all greater results quarantine the event: nothing was written to the sink. */
export const malformedRecord = 3;
export const timeInFuture = 4;
export const idTooLong = 5;
/** `map` jobs: the function threw. */
export const functionFailed = 6;
/** `map` jobs: the function returned what is no update of the job's types. */
export const badUpdate = 7;
/** Arrays within `each` hold more than `nestedItemsMax` items. */
export const tooManyItems = 8;

/**
 * One event passes over at most so many items inside an `each`: those of inner `each`, and of arrays contributed to sets. The product of a few arrays
 * would otherwise keep a job busy for ever. What is not nested is bounded by the arrays' own size.
 */
export const nestedItemsMax = 100_000;

/** By result: the stable code that counters, quarantine records and errors carry. */
export const resultCodes = [
  "mapped",
  "filtered",
  "duplicate",
  "malformed_record",
  "time_in_future",
  "id_too_long",
  "function_failed",
  "bad_update",
  "too_many_items",
] as const;
