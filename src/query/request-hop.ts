// One hop of a request, untrusted JSON, as the steps that walk it: which edge types, which way, under which rules, and what of it the schema makes impossible.
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";
import type { GraphModel, PropertyModel } from "../model/definition.ts";
import type { Filter } from "../model/filter.ts";
import type { HopDirection } from "../model/traversal.ts";
import type { Direction } from "../store/port.ts";
import type { JsonReader } from "./json-reader.ts";
import type { QueryContext } from "./port.ts";
import { type EffectiveRule, narrowed, ruleNames } from "./rules.ts";
import { schemaOf } from "./schema.ts";
import type { BranchPlan, PrunedBranch, ReachedPlan, StepPlan, TraversalLimits } from "./traversal-plan.ts";
import { readCondition } from "./where.ts";

/** What hops are checked against. */
export interface HopScope {
  readonly model: GraphModel;
  readonly limits: TraversalLimits;
  readonly nowMs: number;
  readonly mayRead: QueryContext["mayRead"];
  /** What holds where a hop says nothing. */
  readonly rule: EffectiveRule;
}

interface NamedType {
  readonly name: string;
  readonly properties: readonly PropertyModel[];
}

/** An edge type as a hop asks for it. */
interface EdgeAsked {
  readonly edge: number;
  readonly direction: HopDirection;
  readonly rule: EffectiveRule;
  /** What it says beside its type, for conditions and selections of its own. */
  readonly own: JsonReader | undefined;
}

/** @throws RdgError unauthorized, `type_not_readable` */
export function requireReadable(json: JsonReader, name: string, mayRead: QueryContext["mayRead"]): void {
  if (mayRead === undefined || mayRead(name)) return;
  throw new RdgError(
    "unauthorized",
    "type_not_readable",
    `Elements of type "${name}" may not be read with this access.`,
    { place: json.place === "" ? "/" : json.place, hint: "Ask with access that covers the type." },
  );
}

/**
 * The steps of hop `number`, walked from nodes of the types `from`: one, or one per repetition until the schema leads no further. `stepsLeft` bounds them.
 * @throws RdgError invalid
 */
export function planHop(
  json: JsonReader,
  number: number,
  from: readonly number[],
  scope: HopScope,
  stepsLeft: number,
): StepPlan[] {
  const planner = new HopPlanner(json, scope);
  const repeat = json.at("repeat");
  if (!repeat.present) {
    const { branches, pruned } = planner.branches(from);
    if (branches.length === 0) throw planner.impossible(from);
    planner.checkSelections([branches]);
    return [{ hop: number, isLast: true, branches, reached: reachedBy(branches), pruned }];
  }
  repeat.object(["times", "until"]);
  const times = repeat.at("times").integer(1, Math.max(1, stepsLeft));
  const rounds: { readonly branches: readonly BranchPlan[]; readonly pruned: readonly PrunedBranch[] }[] = [];
  for (let here = from; rounds.length < times; here = reachedBy(rounds.at(-1)!.branches).map(({ type }) => type)) {
    const round = planner.branches(here);
    if (round.branches.length === 0) {
      if (rounds.length === 0) throw planner.impossible(here);
      break;
    }
    rounds.push(round);
  }
  planner.checkSelections(rounds.map(({ branches }) => branches));
  const untils = planner.untils(
    repeat.at("until"),
    rounds.flatMap(({ branches }) => branches.map(({ neighbourType }) => neighbourType)),
  );
  return rounds.map(({ branches, pruned }, i) => ({
    hop: number,
    repetition: i + 1,
    isLast: i === rounds.length - 1,
    branches,
    reached: reachedBy(branches).map((reached) => {
      const until = untils?.get(reached.type);
      return until === undefined ? reached : { ...reached, until };
    }),
    pruned,
  }));
}

/** The node types that branches lead to, each with everything that one of them selects. */
function reachedBy(branches: readonly BranchPlan[]): ReachedPlan[] {
  if (branches.length === 1) return [{ type: branches[0]!.neighbourType, select: branches[0]!.selectNode }];
  const reached = new Map<number, readonly number[]>();
  for (const { neighbourType, selectNode } of branches) {
    const before = reached.get(neighbourType);
    reached.set(neighbourType, before === undefined ? selectNode : union(before, selectNode));
  }
  return Array.from(reached, ([type, select]) => ({ type, select }));
}

function union(left: readonly number[], right: readonly number[]): readonly number[] {
  return [...new Set([...left, ...right])].sort((a, b) => a - b);
}

class HopPlanner {
  private readonly json: JsonReader;
  private readonly scope: HopScope;
  private readonly asked: readonly EdgeAsked[];
  /** Everything that the schema allows and the caller may read, instead of types that were named. */
  private readonly isAny: boolean;
  /** Conditions of a branch, by edge type and direction: repetitions ask for the same. */
  private readonly filters = new Map<string, { readonly edge?: Filter; readonly node?: Filter } | RdgError>();
  private lacking: RdgError | undefined;

  constructor(json: JsonReader, scope: HopScope) {
    json.object(["edge", "direction", ...ruleNames, "where", "select", "repeat"]);
    this.json = json;
    this.scope = scope;
    if (json.has("where")) json.at("where").object(["edge", "node"]);
    if (json.has("select")) json.at("select").object(["edge", "node"]);
    const edge = json.at("edge");
    const rule = narrowed(scope.rule, json, "hop", scope.limits, scope.nowMs);
    this.isAny = edge.value === "*";
    const direction = json.has("direction") ? json.at("direction").oneOf(["out", "in", "both"]) : undefined;
    this.asked = this.isAny
      ? this.allEdges(direction ?? "both", rule)
      : this.namedEdges(edge, direction ?? "out", rule);
  }

  /** Every edge type whose elements and ends the caller may read. */
  private allEdges(direction: HopDirection, rule: EffectiveRule): EdgeAsked[] {
    const { model, mayRead } = this.scope;
    return model.edges.flatMap(({ name, from, to }, edge) => {
      const readable = mayRead === undefined || [name, from, to].every((type) => mayRead(type));
      return readable ? [{ edge, direction, rule, own: undefined }] : [];
    });
  }

  private namedEdges(json: JsonReader, direction: HopDirection, rule: EffectiveRule): EdgeAsked[] {
    const { limits, nowMs } = this.scope;
    if (!Array.isArray(json.value)) {
      return [{ edge: this.edgeNamed(json), direction, rule, own: undefined }];
    }
    const known = new Set<string>();
    return json.list("edge types", 1, limits.edgeTypesMax).map((item) => {
      const isRule = typeof item.value === "object" && item.value !== null && !Array.isArray(item.value);
      const own = isRule ? item.object(["type", "direction", ...ruleNames, "where", "select"]) : undefined;
      if (own?.has("where")) own.at("where").object(["edge", "node"]);
      if (own?.has("select")) own.at("select").object(["edge", "node"]);
      const edge = this.edgeNamed(own === undefined ? item : own.at("type"));
      const walked = own?.has("direction") ? own.at("direction").oneOf(["out", "in", "both"]) : direction;
      for (const way of walked === "both" ? ["out", "in"] : [walked]) {
        if (known.has(`${edge} ${way}`)) {
          const { name } = this.scope.model.edges[edge]!;
          throw item.fail("not_allowed", `"${name}" is asked for twice in the same direction.`, "Say it once.");
        }
        known.add(`${edge} ${way}`);
      }
      return { edge, direction: walked, rule: own ? narrowed(rule, own, "edge", limits, nowMs) : rule, own };
    });
  }

  private edgeNamed(json: JsonReader): number {
    const { model, mayRead } = this.scope;
    const name = json.text("the name of an edge type");
    const edge = schemaOf(model).edgeIndex.get(name);
    if (edge !== undefined) {
      if (mayRead !== undefined) {
        const { from, to } = model.edges[edge]!;
        for (const type of [name, from, to]) requireReadable(json, type, mayRead);
      }
      return edge;
    }
    const readable = model.edges.filter((candidate) => mayRead?.(candidate.name) ?? true);
    const hint = didYouMean(
      name,
      readable.map((candidate) => candidate.name),
    );
    throw json.fail("unknown_edge_type", `There is no edge type "${name}".`, hint);
  }

  /** What is walked from nodes of these types, and what was named but leads nowhere from them. */
  branches(types: readonly number[]): { branches: BranchPlan[]; pruned: PrunedBranch[] } {
    const branches: BranchPlan[] = [];
    const pruned: PrunedBranch[] = [];
    const { edgeFrom, edgeTo } = schemaOf(this.scope.model);
    this.lacking = undefined;
    for (const asked of this.asked) {
      const [from, to] = [edgeFrom[asked.edge]!, edgeTo[asked.edge]!];
      const ways: [from: number, to: number, walks: readonly Direction[]][] = [];
      if (asked.direction === "both" && from === to) {
        if (types.includes(from)) ways.push([from, to, ["out", "in"]]);
      } else {
        if (asked.direction !== "in" && types.includes(from)) ways.push([from, to, ["out"]]);
        if (asked.direction !== "out" && types.includes(to)) ways.push([to, from, ["in"]]);
      }
      if (ways.length === 0 && !this.isAny) {
        pruned.push({ edge: asked.edge, direction: asked.direction, reason: this.whyImpossible(asked, types) });
      }
      for (const [near, far, walks] of ways) {
        const filters = this.filtersOf(asked, far, walks[0]!);
        if (filters instanceof RdgError) {
          this.lacking ??= filters;
          pruned.push({ edge: asked.edge, direction: walks.length > 1 ? "both" : walks[0]!, reason: filters.message });
        } else branches.push(this.branch(asked, near, far, walks, filters));
      }
    }
    return { branches, pruned };
  }

  private branch(
    { edge, rule, own }: EdgeAsked,
    near: number,
    far: number,
    walks: readonly Direction[],
    filters: { readonly edge?: Filter; readonly node?: Filter },
  ): BranchPlan {
    const { model } = this.scope;
    const { limit, order, sinceMs, untilMs, origins } = rule;
    return {
      from: near,
      edge,
      walks,
      neighbourType: far,
      order,
      limit,
      ...(sinceMs === undefined ? {} : { sinceMs }),
      ...(untilMs === undefined ? {} : { untilMs }),
      ...(filters.edge === undefined ? {} : { edgeFilter: filters.edge }),
      ...(filters.node === undefined ? {} : { nodeFilter: filters.node }),
      selectEdge: this.selected(own, "edge", model.edges[edge]!),
      selectNode: this.selected(own, "node", model.nodes[far]!),
      origins,
    };
  }

  /** With any edge type, a type that lacks a property that is asked for is passed by: then why. */
  private filtersOf(
    { edge, own }: EdgeAsked,
    far: number,
    direction: Direction,
  ): { readonly edge?: Filter; readonly node?: Filter } | RdgError {
    if (!this.json.has("where") && !own?.has("where")) return {};
    const key = `${edge} ${direction}`;
    const known = this.filters.get(key);
    if (known !== undefined) return known;
    const { model } = this.scope;
    let filters: { readonly edge?: Filter; readonly node?: Filter } | RdgError;
    try {
      const edgeFilter = this.filter(own, "edge", model.edges[edge]!);
      const nodeFilter = this.filter(own, "node", model.nodes[far]!);
      filters = { ...(edgeFilter && { edge: edgeFilter }), ...(nodeFilter && { node: nodeFilter }) };
    } catch (error) {
      if (!this.isAny || !isLacking(error)) throw error;
      filters = error;
    }
    this.filters.set(key, filters);
    return filters;
  }

  private filter(own: JsonReader | undefined, of: "edge" | "node", type: NamedType): Filter | undefined {
    const { limits, nowMs } = this.scope;
    const json = narrower(own, this.json, "where", of);
    return json && readCondition(json, of, type, limits, nowMs);
  }

  /** Indexes of the type's selected properties, ascending; all where nothing is said. Names are checked when all types are known. */
  private selected(own: JsonReader | undefined, of: "edge" | "node", { properties }: NamedType): readonly number[] {
    const json = narrower(own, this.json, "select", of);
    if (json === undefined) return properties.map((_, i) => i);
    const names = new Set(json.list("properties", 0, 1_000).map((item) => item.text("the name of a property")));
    return properties.flatMap(({ name }, i) => (names.has(name) ? [i] : []));
  }

  /** Every selected property is one of at least one type that the selection is about. */
  checkSelections(rounds: readonly (readonly BranchPlan[])[]): void {
    const selections = new Map<unknown, { readonly json: JsonReader; readonly types: Set<NamedType> }>();
    const { model } = this.scope;
    for (const { edge, neighbourType } of rounds.flat()) {
      for (const asked of this.asked) {
        if (asked.edge !== edge) continue;
        // Not called `of`: Node does not read a loop over that.
        for (const part of ["edge", "node"] as const) {
          const json = narrower(asked.own, this.json, "select", part);
          if (json === undefined) continue;
          const { types } = selections.get(json.value) ?? { types: new Set() };
          types.add(part === "edge" ? model.edges[edge]! : model.nodes[neighbourType]!);
          selections.set(json.value, { json, types });
        }
      }
    }
    for (const { json, types } of selections.values()) checkSelection(json, [...types]);
  }

  /** Which nodes the repetition ends at, by type; undefined where it goes on from all. */
  untils(json: JsonReader, types: readonly number[]): ReadonlyMap<number, Filter | "never"> | undefined {
    if (!json.present) return undefined;
    const { model, limits, nowMs } = this.scope;
    const untils = new Map<number, Filter | "never">();
    let lacking: RdgError | undefined;
    let met = false;
    for (const type of new Set(types)) {
      try {
        untils.set(
          type,
          readCondition(json, "node", model.nodes[type]!, limits, nowMs) ?? { kind: "and", filters: [] },
        );
        met = true;
      } catch (error) {
        if (!isLacking(error)) throw error;
        lacking ??= error;
        untils.set(type, "never");
      }
    }
    if (!met && lacking !== undefined) throw lacking;
    return untils;
  }

  /** No branch is left. */
  impossible(types: readonly number[]): RdgError {
    if (this.lacking !== undefined) return this.lacking;
    const { model, mayRead = () => true } = this.scope;
    const here = types.map((type) => model.nodes[type]!.name);
    const possible = model.edges
      .filter(({ name, from, to }) => [name, from, to].every((type) => mayRead(type)))
      .flatMap(({ name, from, to }) => [
        ...(here.includes(from) ? [`${name} out`] : []),
        ...(here.includes(to) ? [`${name} in`] : []),
      ]);
    const named = quoted(here);
    const hint = possible.length === 0 ? `No edge type touches ${named}.` : `From ${named}: ${possible.join(", ")}.`;
    const [first] = this.asked;
    const message =
      this.isAny || this.asked.length > 1 || first === undefined
        ? `No edge type that is asked for leaves a node of type ${named} this way.`
        : this.whyImpossible(first, types);
    return this.json.fail("impossible_hop", message, hint);
  }

  private whyImpossible({ edge, direction }: EdgeAsked, types: readonly number[]): string {
    const { model } = this.scope;
    const { name, from, to } = model.edges[edge]!;
    const here = quoted(types.map((type) => model.nodes[type]!.name));
    return `"${name}" leads from "${from}" to "${to}"; walked "${direction}" it does not leave a node of type ${here}.`;
  }
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(" or ");
}

/** What an edge type of the hop says itself, else what the hop says. */
function narrower(
  own: JsonReader | undefined,
  hop: JsonReader,
  member: "where" | "select",
  of: "edge" | "node",
): JsonReader | undefined {
  for (const json of [own, hop]) {
    if (!json?.has(member)) continue;
    const part = json.at(member).at(of);
    if (part.present) return part;
  }
  return undefined;
}

/** A condition names a property that a type does not have. */
function isLacking(error: unknown): error is RdgError {
  return error instanceof RdgError && error.code === "unknown_property";
}

/** @throws RdgError invalid, where a property is one of none of the types */
export function checkSelection(json: JsonReader, types: readonly NamedType[]): void {
  for (const item of json.list("properties", 0, 1_000)) {
    const name = item.text("the name of a property");
    if (types.some(({ properties }) => properties.some((property) => property.name === name))) continue;
    const names = new Set(types.flatMap(({ properties }) => properties.map((property) => property.name)));
    const message =
      types.length === 1
        ? `"${types[0]!.name}" has no property "${name}".`
        : `None of ${types.map((type) => `"${type.name}"`).join(", ")} has a property "${name}".`;
    throw item.fail("unknown_property", message, didYouMean(name, names));
  }
}
