// The hierarchy of rules that bound a hop: built-in < definition < request < hop < edge type in that hop, member by member, each with where it came from.
import type { GraphModel } from "../model/definition.ts";
import type { RuleOrigin } from "../model/traversal.ts";
import type { JsonReader } from "./json-reader.ts";
import { momentForms, parseMoment } from "./moments.ts";
import type { RuleOrigins, TraversalLimits } from "./traversal-plan.ts";

export const ruleNames = ["limit", "order", "since", "until"] as const;

export interface EffectiveRule {
  readonly limit: number;
  readonly order: "latest" | "any";
  /** On the edge's last seen: inclusive, exclusive. Without: no bound. */
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  readonly origins: RuleOrigins;
}

/** What is built in, under what the definition declares. */
export function graphRule(model: GraphModel, limits: TraversalLimits, nowMs: number): EffectiveRule {
  const { limit, order, sinceMs } = model.traversals ?? {};
  const ageMs = sinceMs ?? limits.sinceDefaultMs;
  return {
    limit: Math.min(limit ?? limits.limitDefault, limits.limitMax),
    order: order ?? "latest",
    sinceMs: ageMs === "ever" ? undefined : nowMs - ageMs,
    untilMs: undefined,
    origins: {
      limit: limit === undefined ? "built-in" : "definition",
      order: order === undefined ? "built-in" : "definition",
      since: sinceMs === undefined ? "built-in" : "definition",
    },
  };
}

/** The rule with what a narrower place, an object that has been checked, says over it. */
export function narrowed(
  rule: EffectiveRule,
  json: JsonReader,
  origin: RuleOrigin,
  limits: TraversalLimits,
  nowMs: number,
): EffectiveRule {
  let { limit, order, sinceMs, untilMs, origins } = rule;
  if (json.has("limit")) {
    limit = json.at("limit").integer(1, limits.limitMax);
    origins = { ...origins, limit: origin };
  }
  if (json.has("order")) {
    order = json.at("order").oneOf(["latest", "any"]);
    origins = { ...origins, order: origin };
  }
  if (json.has("since")) {
    const since = json.at("since");
    sinceMs = since.value === "ever" ? undefined : momentOf(since, nowMs, `, or "ever"`);
    origins = { ...origins, since: origin };
  }
  if (json.has("until")) {
    untilMs = momentOf(json.at("until"), nowMs, "");
    origins = { ...origins, until: origin };
  }
  return { limit, order, sinceMs, untilMs, origins };
}

function momentOf(json: JsonReader, nowMs: number, further: string): number {
  const moment = parseMoment(json.text("a moment"), nowMs);
  if (moment === undefined) throw json.fail("bad_moment", "This is not a moment.", `Give ${momentForms}${further}.`);
  return moment;
}
