// Continuation tokens: where a hop was cut short, so that a later request goes on there. Opaque to callers, signed so that only what this graph's servers
// wrote is believed, and self-contained: nothing is kept between requests. Form: `<version>.<base64url of JSON>.<base64url of HMAC-SHA256>`.
import { createHmac, timingSafeEqual } from "node:crypto";
import { RdgError } from "../core/errors.ts";
import type { GraphModel } from "../model/definition.ts";
import type { HopOutcome } from "./execute.ts";
import { JsonReader } from "./json-reader.ts";
import { planTraversal, readBudget, readWaitFor } from "./request.ts";
import type { TraversalLimits, TraversalPlan, TraversalSource, WalkState } from "./traversal-plan.ts";

const version = "1";
/** Longer tokens are not issued: a hop that was cut at so many nodes is better asked again with narrower starts. */
const tokenBytesMax = 64 * 1024;

/** 0: fresh, 1: done, else the cursor. */
type PackedWalk = 0 | 1 | readonly [lastSeenMs: number, neighbour: string];

interface Payload {
  readonly source: TraversalSource;
  /** Number of the hop, in the source, that goes on. */
  readonly hop: number;
  readonly starts: readonly (readonly [id: string, ...walks: PackedWalk[]])[];
}

export type Continuation = { readonly token: string } | { readonly reason: string };

/** The token that goes on with `plan.hops[hop]`, or why there is none. */
export function continuationOf(
  plan: TraversalPlan,
  hop: number,
  outcome: HopOutcome,
  limits: TraversalLimits,
  key: Uint8Array,
): Continuation {
  if (outcome.cut.some(({ walks }) => walks === undefined)) {
    return { reason: `Order "any" has no place to go on from; ask with order "latest".` };
  }
  const tooMany = `It was cut at ${outcome.cut.length} nodes, too many for one token; ask again from fewer starts.`;
  if (outcome.cut.length > limits.startsMax) return { reason: tooMany };
  const starts = outcome.cut.map(({ id, walks }) => [id, ...walks!.map(packed)] as const);
  const payload: Payload = { source: plan.source, hop: plan.firstHop + hop, starts };
  const body = `${version}.${Buffer.from(JSON.stringify(payload)).toString("base64url")}`;
  if (body.length > tokenBytesMax) return { reason: tooMany };
  return { token: `${body}.${signature(body, key).toString("base64url")}` };
}

function packed(walk: WalkState): PackedWalk {
  if (walk === "fresh") return 0;
  return walk === "done" ? 1 : [walk.after.lastSeenMs, walk.after.neighbour];
}

function unpacked(walk: PackedWalk): WalkState {
  if (walk === 0) return "fresh";
  return walk === 1 ? "done" : { after: { lastSeenMs: walk[0], neighbour: walk[1] } };
}

function signature(body: string, key: Uint8Array): Buffer {
  return createHmac("sha256", key).update(body).digest();
}

/** The plan of a request `{ continue, budget?, waitFor?, timeoutMs? }`. Ages in the first request keep counting from when it was made. */
export function planContinuation(
  request: unknown,
  model: GraphModel,
  limits: TraversalLimits,
  key: Uint8Array,
): TraversalPlan {
  const json = new JsonReader(request).object(["continue", "budget", "waitFor", "timeoutMs"]);
  const tokenJson = json.at("continue");
  const { source, hop, starts } = openToken(tokenJson, key);
  const first = planSource(tokenJson, source, model, limits);
  const before = first.hops[hop - 1];
  if (hop >= first.hops.length) throw stale(tokenJson);
  return {
    source,
    start: {
      type: before?.neighbourType ?? first.start.type,
      ids: starts.map(([id]) => id),
      walked: starts.map(([, ...walks]) => walks.map(unpacked)),
      select: before?.selectNode ?? first.start.select,
    },
    hops: first.hops.slice(hop),
    firstHop: hop,
    budget: readBudget(json, limits),
    waitFor: readWaitFor(json, model, limits),
  };
}

/** The plan of the first request; the definition may have changed since. */
function planSource(
  json: JsonReader,
  source: TraversalSource,
  model: GraphModel,
  limits: TraversalLimits,
): TraversalPlan {
  try {
    return planTraversal({ from: { ...source.from, ids: ["-"] }, hops: source.hops }, model, limits, source.nowMs);
  } catch (error) {
    throw error instanceof RdgError && error.kind === "invalid" ? stale(json) : error;
  }
}

function openToken(json: JsonReader, key: Uint8Array): Payload {
  const token = json.text("a token");
  const [issued, body, signed, ...rest] = token.split(".", 4);
  if (body === undefined || signed === undefined || rest.length > 0) throw refused(json);
  if (issued !== version) {
    throw json.fail(
      "continuation_version",
      "This token was issued by another version of RDG.",
      "Ask the first request again.",
    );
  }
  // As text: base64 has several spellings of the same bytes.
  const expected = Buffer.from(signature(`${issued}.${body}`, key).toString("base64url"));
  const given = Buffer.from(signed);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw refused(json);
  return JSON.parse(Buffer.from(body, "base64url").toString()) as Payload;
}

function refused(json: JsonReader): RdgError {
  const hint = "Send the token as it was answered, to a server of the same graph.";
  return json.fail("bad_continuation", "This is no continuation token of this graph.", hint);
}

function stale(json: JsonReader): RdgError {
  const message = "The definition has changed since the token was issued.";
  return json.fail("continuation_stale", message, "Ask the first request again.");
}
