// Queries: questions about the graph in, answers as JSON bytes out. What HTTP and gRPC serve, the console and the command line ask.
//
// Requests are untrusted: everything is validated against the definition. Rejections: `invalid` (with the place in the request as a JSON pointer and what is
// allowed), `not_found`, `unavailable` (also `not_applied_yet`: the positions of `waitFor` were not applied in time), `overloaded`, `closed`.

export interface Queries {
  /** A `TraverseRequest` or `ContinueRequest` of model/traversal.ts, as parsed JSON; the answer is a `TraverseAnswer`. */
  traverse(request: unknown, signal: AbortSignal): Promise<QueryAnswer>;
  /** The same, asked as text: `{ query, budget?, waitFor?, timeoutMs? }`. */
  query(request: unknown, signal: AbortSignal): Promise<QueryAnswer>;
  /** A `NodeAnswer`; rejects with `not_found` when the node is not visible. */
  node(type: string, id: string, signal: AbortSignal): Promise<QueryAnswer>;
  /** An `EdgeAnswer`; rejects with `not_found` when the edge is not visible. */
  edge(type: string, from: string, to: string, signal: AbortSignal): Promise<QueryAnswer>;
}

export interface QueryAnswer {
  /** UTF-8 JSON; the caller owns it. */
  readonly json: Uint8Array;
}
