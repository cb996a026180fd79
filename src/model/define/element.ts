// `node` and `edge`: the types of what the graph holds, and how updates of them are made.
import type { EdgeModel, FieldModel, NodeModel } from "../definition.ts";
import { checkName, checkOptions, declarationNameMax, definitionError, within } from "./check.ts";
import { declarationOf, declare, positiveMs, type AnyEdge, type AnyNode, type Duration } from "./declaration.ts";
import type { Contributions, Id } from "./expression.ts";
import { propertyModels, type Properties, type PropertyFields } from "./field.ts";
import { standardSchema, type StandardSchema } from "./standard-schema.ts";
import { makeUpdate, type Update } from "./update.ts";

// eslint-disable-next-line typescript/no-empty-object-type -- no property at all is what is meant
export type NoProperties = {};

export interface NodeDef<N extends string, F extends PropertyFields>
  extends AnyNode, StandardSchema<Properties<F>, Properties<F>> {
  readonly name: N;
  readonly properties: F;
  upsert(id: Id, properties?: Contributions<F>): Update;
  /** Takes the node and all its edges out, as of the event's time. */
  remove(id: Id): Update;
}

/** A type of nodes. @param options `ttl`: invisible when it was not seen for so long */
export function node<const N extends string>(name: N): NodeDef<N, NoProperties>;
export function node<const N extends string, F extends PropertyFields>(
  name: N,
  properties: F,
  options?: { readonly ttl?: Duration },
): NodeDef<N, F>;
export function node(
  name: string,
  properties: PropertyFields = {},
  options: { readonly ttl?: Duration } = {},
): NodeDef<string, PropertyFields> {
  checkName(name, "a node type", declarationNameMax, "node");
  const model = within(`node ${name}`, (): NodeModel => {
    checkOptions(options, ["ttl"], "options");
    return { name, properties: propertyModels(properties), ...ttlModel(options.ttl) };
  });
  const declaration: NodeDef<string, PropertyFields> = declare({
    kind: "node",
    name,
    properties,
    model,
    "~standard": standardSchema<Properties<PropertyFields>, Properties<PropertyFields>>(propertiesAsFields(model)),
    upsert: (id: Id, contributed?: unknown) =>
      makeUpdate({ kind: "upsertNode", of: declaration, id, properties: contributed }),
    remove: (id: Id) => makeUpdate({ kind: "removeNode", of: declaration, id, properties: undefined }),
  });
  return declaration;
}

export interface EdgeDef<
  N extends string,
  A extends AnyNode,
  B extends AnyNode,
  F extends PropertyFields,
> extends AnyEdge {
  readonly name: N;
  readonly from: A;
  readonly to: B;
  readonly properties: F;
  upsert(from: Id, to: Id, properties?: Contributions<F>): Update;
  remove(from: Id, to: Id): Update;
}

/** A type of edges, directed, at most one between two nodes. @param options `ttl`: invisible when it was not seen for so long */
export function edge<
  const N extends string,
  A extends AnyNode,
  B extends AnyNode,
  F extends PropertyFields = NoProperties,
>(name: N, from: A, to: B, options: { readonly ttl?: Duration; readonly properties?: F } = {}): EdgeDef<N, A, B, F> {
  checkName(name, "an edge type", declarationNameMax, "edge");
  const model = within(`edge ${name}`, (): EdgeModel => {
    checkOptions(options, ["ttl", "properties"]);
    const ends = { from: endName(from, "from"), to: endName(to, "to") };
    return { name, ...ends, properties: propertyModels(options.properties ?? {}), ...ttlModel(options.ttl) };
  });
  const declaration: EdgeDef<N, A, B, F> = declare({
    kind: "edge",
    name,
    from,
    to,
    properties: options.properties ?? ({} as F),
    model,
    upsert: (start: Id, end: Id, contributed?: unknown) =>
      makeUpdate({ kind: "upsertEdge", of: declaration, from: start, to: end, properties: contributed }),
    remove: (start: Id, end: Id) =>
      makeUpdate({ kind: "removeEdge", of: declaration, from: start, to: end, properties: undefined }),
  });
  return declaration;
}

function endName(end: unknown, place: string): string {
  const declaration = declarationOf(end, "node");
  if (declaration !== undefined) return declaration.name;
  throw definitionError(
    "not_a_node",
    "An edge leads from a node type to a node type.",
    "Give what node(...) returned.",
    place,
  );
}

function ttlModel(ttl: Duration | undefined): { readonly ttlMs?: number } {
  return ttl === undefined ? {} : { ttlMs: positiveMs(ttl, "ttl") };
}

/** Properties as the fields of a record, for validation: each may be absent. */
function propertiesAsFields(model: NodeModel): FieldModel[] {
  return model.properties.map(({ name, type, merge }) => ({
    name,
    type: merge === "union" ? { kind: "array", item: type } : type,
    optional: true,
  }));
}
