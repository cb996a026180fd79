// What all questions read of their requests: their terms, types that may be read, selections.
import { didYouMean } from "../../core/did-you-mean.ts";
import type { RdgError } from "../../core/errors.ts";
import type { GraphModel, PropertyModel } from "../../model/definition.ts";
import type { Position } from "../../model/position.ts";
import type { JsonReader } from "../json-reader.ts";
import type { QueryContext } from "../port.ts";
import { requireReadable } from "../request-hop.ts";
import { readWaitFor } from "../request.ts";
import type { TraversalLimits } from "../traversal-plan.ts";

/** What a request is checked against. */
export interface Scope {
  readonly model: GraphModel;
  readonly limits: TraversalLimits;
  /** Ages count from here. */
  readonly nowMs: number;
  readonly mayRead: QueryContext["mayRead"];
}

/** A node or edge type, as far as its properties go. */
export interface PropertyOwner {
  readonly name: string;
  readonly properties: readonly PropertyModel[];
}

/** What every question says beside itself. */
export interface Terms {
  readonly waitFor: readonly Position[];
  readonly timeoutMs: number;
  readonly scannedMax: number;
  readonly cache: boolean | undefined;
}

export const termNames = ["waitFor", "timeoutMs", "cache"] as const;

/** `budget` is asked for by those questions that name it among their members. */
export function readTerms(json: JsonReader, { model, limits }: Scope): Terms {
  const [timeout, budget, cache] = [json.at("timeoutMs"), json.at("budget"), json.at("cache")];
  const scanned = budget.present ? budget.object(["scanned"]).at("scanned") : budget;
  return {
    waitFor: readWaitFor(json, model, limits),
    timeoutMs: timeout.present ? timeout.integer(1, limits.timeoutMsMax) : limits.timeoutMsDefault,
    scannedMax: scanned.present ? scanned.integer(1, limits.scannedMax) : limits.scannedMax,
    cache: cache.present ? cache.oneOf([true, false]) : undefined,
  };
}

/** A named type's index. @throws RdgError invalid `unknown_node_type`, unauthorized `type_not_readable` */
export function readNodeType(json: JsonReader, { model, mayRead }: Scope): number {
  return readType(json, "node", model.nodes, mayRead);
}

export function readEdgeType(json: JsonReader, { model, mayRead }: Scope): number {
  const edge = readType(json, "edge", model.edges, mayRead);
  const { from, to } = model.edges[edge]!;
  for (const end of [from, to]) requireReadable(json, end, mayRead);
  return edge;
}

function readType(
  json: JsonReader,
  kind: "node" | "edge",
  types: readonly { readonly name: string }[],
  mayRead: QueryContext["mayRead"],
): number {
  const name = json.text(kind === "node" ? "the name of a node type" : "the name of an edge type");
  const type = types.findIndex((candidate) => candidate.name === name);
  if (type >= 0) {
    requireReadable(json, name, mayRead);
    return type;
  }
  const readable = types.map((candidate) => candidate.name).filter((candidate) => mayRead?.(candidate) ?? true);
  throw json.fail(`unknown_${kind}_type`, `There is no ${kind} type "${name}".`, didYouMean(name, readable));
}

/** Indexes of the selected properties per type, ascending; all of them when nothing is said. A property must be one of at least one type of `among`. */
export function readSelect(
  json: JsonReader,
  types: readonly PropertyOwner[],
  among: ReadonlySet<number>,
): readonly (readonly number[])[] {
  if (!json.present) return types.map(({ properties }) => properties.map((_, i) => i));
  const selected = types.map(() => new Set<number>());
  for (const item of json.list("properties", 0, 1_000)) {
    const name = item.text("the name of a property");
    let found = false;
    for (const type of among) {
      const index = types[type]!.properties.findIndex((property) => property.name === name);
      if (index < 0) continue;
      selected[type]!.add(index);
      found = true;
    }
    if (!found)
      throw unknownProperty(
        item,
        name,
        [...among].map((type) => types[type]!),
      );
  }
  return selected.map((indexes) => [...indexes].sort((a, b) => a - b));
}

function unknownProperty(json: JsonReader, name: string, types: readonly PropertyOwner[]): RdgError {
  const names = new Set(types.flatMap(({ properties }) => properties.map((property) => property.name)));
  const of = types.map((type) => `"${type.name}"`);
  const message =
    of.length === 1 ? `${of[0]} has no property "${name}".` : `None of ${of.join(", ")} has a property "${name}".`;
  return json.fail("unknown_property", message, didYouMean(name, names));
}

/** `select` of a question that answers both: what is selected of edges and of nodes. */
export function readSelection(
  json: JsonReader,
  { model }: Scope,
  edgeTypes: ReadonlySet<number>,
  nodeTypes: ReadonlySet<number>,
): { readonly edge: readonly (readonly number[])[]; readonly node: readonly (readonly number[])[] } {
  const select = json.at("select");
  if (select.present) select.object(["edge", "node"]);
  const part = (name: "edge" | "node"): JsonReader => (select.present ? select.at(name) : select);
  return {
    edge: readSelect(part("edge"), model.edges, edgeTypes),
    node: readSelect(part("node"), model.nodes, nodeTypes),
  };
}
