// What carries the client's requests: HTTP anywhere, gRPC in Node. Both speak the JSON forms of the model, so that everything above is the same.
//
// A transport sends once; trying again is the caller's. It rejects with RdgError: `unavailable`, `no_answer` where nobody answers or the answer breaks off,
// else what the server said. An aborted signal ends the request and rejects with the signal's reason.
import type { LevelAnswer, TraverseAnswer } from "../model/traversal.ts";

/** `query`: a traversal as text. */
export type Question = "traverse" | "query" | "nodes" | "edges" | "count" | "shortest-path" | "common-neighbours";

/** An answer without its levels. */
export type TraverseEnd = Omit<TraverseAnswer, "levels">;

/** A piece of a traversal's answer; the last one is the end. */
export type AnswerPart = ({ readonly level: number } & Partial<LevelAnswer>) | { readonly end: TraverseEnd };

export interface Produced {
  readonly accepted: number;
  /** The last position per partition: pass them as `waitFor` to read your own writes. */
  readonly positions: readonly string[];
  /** The request was stored by an earlier attempt. */
  readonly duplicate?: boolean;
}

export interface ProduceCall {
  readonly target: { readonly kind: "event" | "input"; readonly name: string };
  /** A JSON object each. */
  readonly lines: readonly string[];
  /** Missing: the request must not be repeated. */
  readonly idempotencyKey?: string | undefined;
}

export interface Transport {
  ask(question: Question, request: object, signal: AbortSignal): Promise<unknown>;
  /** A traversal in parts as they come; where the server sends it whole, in one part per level. */
  parts(request: object, signal: AbortSignal): AsyncIterable<AnswerPart>;
  produce(call: ProduceCall, signal: AbortSignal): Promise<Produced>;
  close(): void;
}
