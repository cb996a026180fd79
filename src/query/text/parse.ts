// Parses query text, a subset of openCypher's linear path patterns, into the request that JSON would state; docs/queries.md has the grammar.
//   (account {id: 'a1'})-[:has_profile]->()-[w:watched {latest: 50, since: '30d'}]->(t:title) WHERE w.plays >= 2 AND t.kind = 'film'
//   (account {id: 'a1'})-[:knows*1..3]-()-[:uses|has_profile]->(x:*)-[]-()
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { Condition, HopRequest, TraverseRequest } from "../../model/traversal.ts";
import { ConditionParser, type Variable, conditionOf, propertyKey } from "./parse-where.ts";
import { type Leap, edgesTo, reachedRepeatedly, reachedTypes } from "./reach.ts";
import { TokenReader } from "./token-reader.ts";
import type { Token } from "./tokens.ts";

const hopOptions = ["latest", "any", "limit", "order", "since", "until", "select"];

interface Pattern {
  readonly variable: Token | undefined;
  readonly type: Token | undefined;
  readonly entries: readonly { readonly key: Token; readonly value: unknown }[];
  readonly at: number;
}

/** @throws RdgError invalid, with the place in the text as `line:column` */
export function parseQuery(text: string, model: GraphModel): TraverseRequest {
  return new QueryParser(text, model).parse();
}

class QueryParser {
  private readonly reader: TokenReader;
  private readonly model: GraphModel;
  private readonly variables = new Map<string, Variable>();
  private readonly conditions: { edge: Condition[]; node: Condition[] }[] = [];
  private readonly hops: HopRequest[] = [];

  constructor(text: string, model: GraphModel) {
    this.reader = new TokenReader(text);
    this.model = model;
  }

  parse(): TraverseRequest {
    const { reader } = this;
    const start = this.node();
    this.name(start, undefined, "node");
    const from = this.start(start);
    let here: readonly number[] = [this.typeOf(start.type!)];
    while (reader.sees("-") || reader.sees("<")) here = this.hop(here);
    if (reader.word("where")) {
      const parser = new ConditionParser(reader, this.variables);
      for (const { variable, condition } of parser.conjuncts())
        this.conditions[variable.hop!]![variable.of].push(condition);
    }
    if (!reader.atEnd) throw reader.error("Expected the end, a hop such as -[:edge]->(), or WHERE.");
    const hops = this.hops.map((hop, i) => ({ ...hop, ...this.where(i) }));
    return { from, ...(hops.length > 0 ? { hops } : {}) };
  }

  private where(hop: number): { where?: NonNullable<HopRequest["where"]> } {
    const { edge, node } = this.conditions[hop]!;
    if (edge.length === 0 && node.length === 0) return {};
    return {
      where: {
        ...(edge.length > 0 ? { edge: conditionOf(edge) } : {}),
        ...(node.length > 0 ? { node: conditionOf(node) } : {}),
      },
    };
  }

  private node(): Pattern {
    const { reader } = this;
    const { at } = reader.expect("(", "Expected a node such as (account {id: 'a1'}) or ().");
    let [variable, type]: (Token | undefined)[] = [undefined, undefined];
    if (reader.token.kind === "name") {
      type = reader.next();
      if (reader.sees(":")) [variable, type] = [type, undefined];
    }
    if (reader.take(":") && !(variable && reader.take("*"))) type = reader.name("the name of a node type");
    const entries = reader.sees("{") ? reader.map() : [];
    reader.expect(")", "Expected ) to end the node.");
    return { variable, type, entries, at };
  }

  private start({ type, entries, at }: Pattern): TraverseRequest["from"] {
    const { reader } = this;
    if (!type) throw reader.errorAt(at, "The first node needs a type.", "For example (account {id: 'a1'}).");
    let [ids, select]: unknown[] = [];
    for (const { key, value } of entries) {
      if (key.text === "id" || key.text === "ids") {
        if (ids !== undefined) throw reader.errorAt(key.at, "The ids are given twice.", "Give id or ids, once.");
        ids = key.text === "id" ? [value] : value;
      } else if (key.text === "select") select = value;
      else {
        const hint = "The start takes id, ids and select. Filters stand at the nodes that hops reach.";
        throw reader.errorAt(key.at, `"${key.text}" is not possible at the start.`, hint);
      }
    }
    if (ids === undefined) {
      throw reader.errorAt(
        at,
        "The first node needs ids: a traversal starts somewhere.",
        "For example {id: 'a1'} or {ids: ['a1', 'a2']}.",
      );
    }
    return { type: type.text, ids: ids as string[], ...(select === undefined ? {} : { select: select as string[] }) };
  }

  /** One edge and the node behind it; takes the indexes of the node types it leaves, returns those of the ones it reaches. */
  private hop(here: readonly number[]): readonly number[] {
    const { reader } = this;
    const back = reader.take("<");
    reader.expect("-", "Expected - before the edge.");
    const { at } = reader.expect("[", "Expected an edge such as [:watched].");
    const variable = reader.token.kind === "name" ? reader.next() : undefined;
    const types = this.edgeTypes(variable);
    const times = this.times();
    const entries = reader.sees("{") ? reader.map() : [];
    reader.expect("]", "Expected ] to end the edge.");
    reader.expect("-", "Expected - after the edge.");
    const forward = !back && reader.take(">");
    const direction = back ? "in" : forward ? "out" : "both";
    const node = this.node();
    const index = this.hops.length;
    this.conditions.push({ edge: [], node: [] });
    this.name({ variable, type: undefined, entries, at }, index, "edge");
    this.name(node, index, "node");
    const edges = types?.map((type) => reader.named(type, this.model.edges, "edge type"));
    const leap = { edges: edges ?? this.model.edges.map((_, i) => i), direction, from: here } as const;
    const reached = this.reached(types, leap, times, at);
    const edgeOptions = this.options(entries, index, "edge", hopOptions);
    const nodeOptions = this.options(node.entries, index, "node", ["select"]);
    this.hops.push({
      ...this.edgesAsked(types, leap, reached, node.type, times !== undefined),
      ...this.hopOptions(edgeOptions),
      ...selection(edgeOptions.get("select"), nodeOptions.get("select")),
      ...(times === undefined ? {} : { repeat: { times } }),
    });
    return node.type ? [this.typeOf(node.type)] : reached;
  }

  /** `:a|b`; undefined for any: nothing, or a name alone. */
  private edgeTypes(variable: Token | undefined): readonly Token[] | undefined {
    const { reader } = this;
    if (!reader.take(":")) {
      if (variable !== undefined && this.model.edges.some(({ name }) => name === variable.text)) {
        throw reader.error("Expected a colon and the type of the edge.", `Write [:${variable.text}].`);
      }
      return undefined;
    }
    const types = [reader.name("the name of an edge type")];
    while (reader.take("|")) {
      reader.take(":");
      types.push(reader.name("the name of an edge type"));
    }
    return types;
  }

  /** `*1..3` and `*..3`: how often the hop is walked at most. */
  private times(): number | undefined {
    const { reader } = this;
    if (!reader.sees("*")) return undefined;
    const { at } = reader.next();
    const number = (): number | undefined => (reader.token.kind === "number" ? Number(reader.next().text) : undefined);
    const least = number();
    const most = reader.take("..") ? number() : undefined;
    if (most !== undefined && (least === undefined || least === 1)) return most;
    const hint = "Write *1..3: everything that is reached within three repetitions.";
    throw reader.errorAt(at, "A repeated hop is walked from 1 to a number of times.", hint);
  }

  /** Edge types and direction as a request says them; a type at the node leaves only what leads there. */
  private edgesAsked(
    types: readonly Token[] | undefined,
    leap: Leap,
    reached: readonly number[],
    node: Token | undefined,
    isRepeated: boolean,
  ): Pick<HopRequest, "edge" | "direction"> {
    const { model, reader } = this;
    const direction = leap.direction === "out" ? {} : { direction: leap.direction };
    if (node !== undefined) {
      const type = this.typeOf(node);
      const names = reached.map((index) => model.nodes[index]!.name);
      if (!reached.includes(type)) {
        const what = types?.length === 1 ? `"${types[0]!.text}" leads` : "This leads";
        const hint = `Write ${names.map((name) => `(${name})`).join(" or ")}, or ().`;
        throw reader.errorAt(node.at, `${what} to ${names.map((name) => `"${name}"`).join(" or ")} here.`, hint);
      }
      if (reached.length > 1) {
        if (isRepeated) {
          const hint = "Leave the type out, or name the edge types that lead to it.";
          throw reader.errorAt(node.at, `A repeated hop leads to ${names.join(", ")}, not to one of them.`, hint);
        }
        return { edge: edgesTo(model, leap, type), ...direction };
      }
    }
    if (types === undefined) return { edge: "*", ...(leap.direction === "both" ? {} : { direction: leap.direction }) };
    return { edge: types.length === 1 ? types[0]!.text : types.map(({ text }) => text), ...direction };
  }

  private name(pattern: Pattern, hop: number | undefined, of: "edge" | "node"): void {
    if (!pattern.variable) return;
    const { text, at } = pattern.variable;
    if (this.variables.has(text)) {
      throw this.reader.errorAt(
        at,
        `"${text}" names something else already.`,
        "Paths are linear: give each node and edge its own name.",
      );
    }
    this.variables.set(text, { hop, of });
  }

  /** Takes options out of the entries; what is left are tests of properties. */
  private options(
    entries: Pattern["entries"],
    hop: number,
    of: "edge" | "node",
    names: readonly string[],
  ): Map<string, { readonly key: Token; readonly value: unknown }> {
    const options = new Map<string, { readonly key: Token; readonly value: unknown }>();
    for (const entry of entries) {
      const { key, value } = entry;
      if (!key.quoted && names.includes(key.text)) options.set(key.text, entry);
      else this.conditions[hop]![of].push(testOf(key.text, value));
    }
    return options;
  }

  private hopOptions(
    options: ReadonlyMap<string, { readonly key: Token; readonly value: unknown }>,
  ): Partial<HopRequest> {
    const request: Record<string, unknown> = {};
    for (const [name, { key, value }] of options) {
      if (name === "select") continue;
      const named = name === "latest" || name === "any" ? { order: name, limit: value } : { [name]: value };
      for (const [member, given] of Object.entries(named)) {
        if (member in request) {
          const hint = "Give one of latest: n, any: n, or limit: n with or without order.";
          throw this.reader.errorAt(key.at, `"${name}" contradicts an option before it.`, hint);
        }
        request[member] = given;
      }
    }
    return request;
  }

  private typeOf(token: Token): number {
    return this.reader.named(token, this.model.nodes, "node type");
  }

  private reached(
    types: readonly Token[] | undefined,
    leap: Leap,
    times: number | undefined,
    at: number,
  ): readonly number[] {
    const { model, reader } = this;
    const here = leap.from.map((type) => `"${model.nodes[type]!.name}"`).join(" or ");
    for (const [i, type] of (types ?? []).entries()) {
      const edge = leap.edges[i]!;
      if (reachedTypes(model, { ...leap, edges: [edge] }).length > 0) continue;
      const { from, to } = model.edges[edge]!;
      const hint = `It is declared (${from})-[:${type.text}]->(${to}).`;
      throw reader.errorAt(type.at, `"${type.text}" cannot be walked this way from ${here}.`, hint);
    }
    const reached =
      times === undefined ? reachedTypes(model, leap) : reachedRepeatedly(model, leap, Math.min(times, 100));
    if (reached.length > 0) return reached;
    throw reader.errorAt(at, `No edge type can be walked this way from ${here}.`, "Turn the arrow, or leave it out.");
  }
}

function selection(
  edge: { readonly value: unknown } | undefined,
  node: { readonly value: unknown } | undefined,
): Partial<HopRequest> {
  if (!edge && !node) return {};
  const select = { ...(edge && { edge: edge.value }), ...(node && { node: node.value }) };
  return { select: select as NonNullable<HopRequest["select"]> };
}

/** `{name: value}`, `{name: [values]}` and `{name: {gte: 1, ...}}` in braces. */
function testOf(name: string, value: unknown): Condition {
  const key = propertyKey(name);
  const test = Array.isArray(value) ? { in: value } : value;
  return Object.fromEntries([[key, test]]) as unknown as Condition;
}

/** A refusal of the parsed request, retold: its place is in JSON that the caller never wrote. */
export function retold(error: unknown): unknown {
  if (!(error instanceof RdgError) || error.kind !== "invalid" || !/^\/(?:from|hops)\b/.test(error.place ?? ""))
    return error;
  return new RdgError("invalid", error.code, error.message, {
    hint: error.hint,
    place: `the query as JSON: ${error.place}`,
  });
}
