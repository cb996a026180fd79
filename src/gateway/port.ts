// The gateway: records of events and side inputs in, durable positions out. Requests and answers are plain data, so that it may run on another thread.
//
// A request is accepted whole or not at all, unless it is `partial`: then good records are accepted and bad ones go to `quarantine.gateway` and are reported.
// What was answered is durable. Rejections: `invalid` (BadRecords, with every problem up to 100), `not_found` (`unknown_event`), `overloaded` (retryAfterMs),
// `unavailable` (log or store cannot take more; retryAfterMs), `closed`.

import { RdgError } from "../core/errors.ts";

export interface Gateway {
  produce(request: ProduceRequest): Promise<ProduceAnswer>;
  /** Records of several events as one request: all are checked before any is stored. */
  produceMixed(request: MixedRequest): Promise<ProduceAnswer>;
  close(): Promise<void>;
}

/** `json`: one object or an array of objects; `ndjson`: an object per line; `avro`: one record in Confluent framing (0, schema id, Avro bytes). */
export type RecordFormat = "json" | "ndjson" | "avro";

export interface ProduceRequest {
  readonly target: { readonly kind: "event" | "input"; readonly name: string };
  readonly format: RecordFormat;
  readonly body: Uint8Array;
  readonly partial: boolean;
  /** A request with the key of one accepted within the last hour is answered again, not stored again. */
  readonly idempotencyKey?: string;
}

export interface MixedRequest {
  /** Of one target each. */
  readonly parts: readonly MixedPart[];
  /** Records that belong to no target, or that could not be read: bad records as others are, quarantined as they come here. */
  readonly strays: readonly Stray[];
  readonly partial: boolean;
  readonly idempotencyKey?: string;
}

export interface MixedPart extends Pick<ProduceRequest, "target" | "format" | "body"> {
  /** What each record is called in problems: its number in the whole request. */
  readonly indexes: readonly number[];
}

export interface Stray {
  readonly problem: RecordProblem;
  readonly bytes: Uint8Array;
}

export interface ProduceAnswer {
  readonly accepted: number;
  /** The last position per partition, written `<topic>/<partition>@<offset>`. */
  readonly positions: readonly string[];
  readonly duplicate: boolean;
  /** With `partial`: the problems of the records that were quarantined, the first 100. */
  readonly rejected: readonly RecordProblem[];
  /** Records that were quarantined. */
  readonly rejectedCount: number;
}

export interface RecordProblem {
  /** Of the record in the request, from 0. */
  readonly index: number;
  /** Path of the field, for example `lines[2].sku`; missing when the whole record is meant. */
  readonly field?: string;
  readonly code: string;
  readonly reason: string;
}

/** Problems that an answer lists; all are counted. */
export const problemsListedMax = 100;

/** Why a request was refused as a whole. Nothing of it is stored. */
export class BadRecords extends RdgError {
  /** The first of them, in order of the records. */
  readonly problems: readonly RecordProblem[];
  readonly problemCount: number;
  readonly recordCount: number;

  constructor(problems: readonly RecordProblem[], problemCount: number, recordCount: number) {
    const first = problems[0]!;
    const place = `record ${first.index}${first.field === undefined ? "" : `, ${first.field}`}`;
    const many = recordCount === 1 ? "1 record is" : `${recordCount} records are`;
    super("invalid", "bad_records", `${many} not valid, nothing was stored. The first: ${first.reason}.`, {
      place,
      hint: "Correct the records and send the request again, or send it as partial to store the valid ones.",
      details: { problems, problemCount, recordCount },
    });
    this.problems = problems;
    this.problemCount = problemCount;
    this.recordCount = recordCount;
  }

  /** The same error again after it has crossed to another thread, where classes are lost. */
  static from(error: unknown): BadRecords | undefined {
    if (!(error instanceof RdgError) || error.code !== "bad_records") return undefined;
    const { problems, problemCount, recordCount } = error.details as BadRecords;
    return new BadRecords(problems, problemCount, recordCount);
  }
}
