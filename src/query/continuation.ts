// Continuation tokens: where a step was cut short, so that a later request goes on there. Opaque to callers, signed so that only what this graph's servers
// wrote is believed, and self-contained: nothing is kept between requests. Form: `<version>.<base64url of JSON>.<base64url of HMAC-SHA256>`.
import { type KeyObject, createHash, createHmac, timingSafeEqual } from "node:crypto";
import { RdgError } from "../core/errors.ts";
import type { GraphModel } from "../model/definition.ts";
import { JsonReader } from "./json-reader.ts";
import type { CutNode, StepOutcome } from "./level.ts";
import type { QueryContext } from "./port.ts";
import { planTraversal, readBudget, readTerms, readWaitFor } from "./request.ts";
import { schemaOf } from "./schema.ts";
import type {
  BranchPlan,
  StartPlan,
  StepPlan,
  TraversalLimits,
  TraversalPlan,
  TraversalSource,
  WalkState,
} from "./traversal-plan.ts";

const version = "2";
/** Longer tokens are not issued: a hop that was cut at so many nodes is better asked again with narrower starts. */
const tokenBytesMax = 64 * 1024;

/** 0: fresh, 1: done, else the cursor. */
type PackedWalk = 0 | 1 | readonly [lastSeenMs: number, neighbour: string];

/** Short names: a token goes over the wire twice. */
interface Payload {
  /** What was asked first. */
  readonly s: TraversalSource;
  /** What of the definition decides what hops mean. */
  readonly d: string;
  /** Number of the hop in the source that goes on, and its repetition where it is repeated. */
  readonly h: number;
  readonly r?: number;
  /** Per node type: its name, its walks as `edge>` and `edge<`, and per node that was cut how far each walk has come. */
  readonly n: readonly (readonly [
    type: string,
    walks: readonly string[],
    nodes: readonly (readonly [id: string, ...walks: PackedWalk[]])[],
  ])[];
}

export type Continuation = { readonly token: string } | { readonly reason: string };

/** The token that goes on with the plan's step number `step`, or why there is none. */
export function continuationOf(
  plan: TraversalPlan,
  step: number,
  { cut }: StepOutcome,
  model: GraphModel,
  limits: TraversalLimits,
  key: KeyObject,
): Continuation {
  if (cut.some(({ walks }) => walks === undefined)) {
    return { reason: `Order "any" has no place to go on from; ask with order "latest".` };
  }
  const tooMany = `It was cut at ${cut.length} nodes, too many for one token; ask again from fewer starts.`;
  if (cut.length > limits.startsMax) return { reason: tooMany };
  const { hop, repetition, branches } = plan.steps[step]!;
  const payload: Payload = {
    s: plan.source,
    d: meaningOf(model),
    h: hop,
    ...(repetition === undefined ? {} : { r: repetition }),
    n: Array.from(
      Map.groupBy(cut, ({ type }) => type),
      ([type, nodes]) => [
        model.nodes[type]!.name,
        branches.filter(({ from }) => from === type).flatMap((branch) => walkNames(model, branch)),
        nodes.map(({ id, walks }: CutNode) => [id, ...walks!.map(packed)] as const),
      ],
    ),
  };
  const body = `${version}.${Buffer.from(JSON.stringify(payload)).toString("base64url")}`;
  if (body.length > tokenBytesMax) return { reason: tooMany };
  return { token: `${body}.${signature(body, key).toString("base64url")}` };
}

function walkNames(model: GraphModel, { edge, walks }: BranchPlan): string[] {
  return walks.map((walk) => `${model.edges[edge]!.name}${walk === "out" ? ">" : "<"}`);
}

const meanings = new WeakMap<GraphModel, string>();

/** Changes with the types, their order, the ends of edges, and the defaults of traversals: then a hop may mean something else than when it was first asked for. */
function meaningOf(model: GraphModel): string {
  const known = meanings.get(model);
  if (known !== undefined) return known;
  const { nodes, edges, traversals = null } = model;
  const decisive = [nodes.map(({ name }) => name), edges.map(({ name, from, to }) => [name, from, to]), traversals];
  const meaning = createHash("sha256").update(JSON.stringify(decisive)).digest("base64url").slice(0, 16);
  meanings.set(model, meaning);
  return meaning;
}

function packed(walk: WalkState): PackedWalk {
  if (walk === "fresh") return 0;
  return walk === "done" ? 1 : [walk.after.lastSeenMs, walk.after.neighbour];
}

function unpacked(walk: PackedWalk): WalkState {
  if (walk === 0) return "fresh";
  return walk === 1 ? "done" : { after: { lastSeenMs: walk[0], neighbour: walk[1] } };
}

/** With a key object: making one of bytes costs several times what the signature does. */
function signature(body: string, key: KeyObject): Buffer {
  return createHmac("sha256", key).update(body).digest();
}

/**
 * The plan of a request `{ continue, budget?, cache?, explain?, waitFor?, timeoutMs? }`. Ages in the first request keep counting from when it was made.
 * @throws RdgError invalid; unauthorized, `type_not_readable`
 */
export function planContinuation(
  request: unknown,
  model: GraphModel,
  limits: TraversalLimits,
  key: KeyObject,
  mayRead: QueryContext["mayRead"],
): TraversalPlan {
  const json = new JsonReader(request).object(["continue", "budget", "cache", "explain", "waitFor", "timeoutMs"]);
  const tokenJson = json.at("continue");
  const payload = openToken(tokenJson, key);
  if (payload.d !== meaningOf(model)) throw stale(tokenJson);
  const first = planSource(tokenJson, payload.s, model, limits, mayRead);
  const at = first.steps.findIndex(({ hop, repetition }) => hop === payload.h && repetition === payload.r);
  if (at < 0) throw stale(tokenJson);
  const budget = readBudget(json, limits);
  const waitFor = readWaitFor(json, model, limits);
  const starts = payload.n.map((group) => startOf(group, first, at, model));
  const steps = first.steps.slice(at);
  return { ...first, starts, steps, firstHop: payload.h, budget, waitFor, ...readTerms(json) };
}

/** Nodes that were cut: their walks that this caller may follow go on where they ended. */
function startOf(
  [name, walkNamesThen, nodes]: Payload["n"][number],
  first: TraversalPlan,
  step: number,
  model: GraphModel,
): StartPlan {
  const type = schemaOf(model).nodeIndex.get(name)!;
  const walked = new Map<BranchPlan, WalkState[][]>();
  for (const branch of first.steps[step]!.branches) {
    if (branch.from !== type) continue;
    const columns = walkNames(model, branch).map((walk) => walkNamesThen.indexOf(walk));
    walked.set(
      branch,
      nodes.map(([, ...walks]) => columns.map((column) => (column < 0 ? "done" : unpacked(walks[column]!)))),
    );
  }
  return { type, ids: nodes.map(([id]) => id), walked, select: selectBefore(type, first, step, model) };
}

/** What was selected of nodes of this type where they were last reached. */
function selectBefore(type: number, first: TraversalPlan, step: number, model: GraphModel): readonly number[] {
  const reaches = (plan: StepPlan): readonly number[] | undefined =>
    plan.reached.find((reached) => reached.type === type)?.select;
  const [start] = first.starts;
  return (
    first.steps
      .slice(0, step)
      .map(reaches)
      .findLast((select) => select !== undefined) ??
    (start!.type === type ? start!.select : model.nodes[type]!.properties.map((_, i) => i))
  );
}

/** The plan of the first request; the definition may have changed since. */
function planSource(
  json: JsonReader,
  { from, nowMs, ...source }: TraversalSource,
  model: GraphModel,
  limits: TraversalLimits,
  mayRead: QueryContext["mayRead"],
): TraversalPlan {
  try {
    return planTraversal({ ...source, from: { ...from, ids: ["-"] } }, model, limits, nowMs, mayRead);
  } catch (error) {
    throw error instanceof RdgError && error.kind === "invalid" ? stale(json) : error;
  }
}

function openToken(json: JsonReader, key: KeyObject): Payload {
  const token = json.text("a token");
  const [issued, body, signed, ...rest] = token.split(".", 4);
  if (body === undefined || signed === undefined || rest.length > 0) throw refused(json);
  if (issued !== version) {
    throw json.fail(
      "continuation_version",
      `The token has version ${issued!.slice(0, 10)}; this version of RDG reads version ${version}.`,
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
