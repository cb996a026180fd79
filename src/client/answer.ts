// Answers of traversals as typed rows: times as Dates, int64 as bigint, bytes as Uint8Array; edges with the nodes at their ends.
import { RdgError } from "../core/errors.ts";
import { parseBase64 } from "../model/avro/json-values.ts";
import type { AnyEdge, AnyNode } from "../model/define/declaration.ts";
import type { NodeDef } from "../model/define/element.ts";
import type { Properties } from "../model/define/field.ts";
import type { PropertyModel, ValueType } from "../model/definition.ts";
import type { EdgeAnswer, JsonValue, NodeAnswer, TraverseAnswer } from "../model/traversal.ts";

export interface NodeRow<D> {
  readonly type: string;
  readonly id: string;
  /** Missing where the node was never upserted, or is not visible any more. */
  readonly firstSeen?: Date;
  readonly lastSeen?: Date;
  readonly properties: D extends NodeDef<string, infer F> ? Properties<F> : never;
}

export interface EdgeRow<A, B, P> {
  /** The ends in the declared direction, whichever way the edge was walked. */
  readonly from: NodeRow<A>;
  readonly to: NodeRow<B>;
  readonly firstSeen: Date;
  readonly lastSeen: Date;
  readonly properties: P;
}

type HopNumber<Hops extends readonly unknown[]> = Exclude<Partial<Hops>["length"], Hops["length"] | undefined>;

export interface Answer<Last, Hops extends readonly unknown[]> {
  /** Whether everything that was asked for is here. */
  readonly complete: boolean;
  /** What the last hop reached; without hops, the starts that exist. */
  readonly nodes: readonly NodeRow<Last>[];
  /** Everything up to these positions was seen. */
  readonly asOf: readonly string[];
  /** The edges of a hop, from 0. */
  edges<I extends HopNumber<Hops>>(hop: I): readonly Hops[I & keyof Hops][];
  /** What limits cut off this answer, as far as the next limits allow. @throws RdgError invalid, `not_continuable` */
  more(): Promise<Answer<Last, Hops>>;
}

/** What an answer's rows are decoded by: the declarations of its start and hops. */
export interface AnswerShape {
  readonly start: AnyNode;
  readonly hops: readonly { readonly edge: AnyEdge; readonly reached: AnyNode }[];
}

interface AnyRow {
  readonly type: string;
  readonly id: string;
  readonly firstSeen?: Date;
  readonly lastSeen?: Date;
  readonly properties: { readonly [name: string]: unknown };
}

/** One or more answers of one shape, read as one. */
export class TypedAnswer {
  readonly complete: boolean;
  readonly nodes: readonly AnyRow[];
  readonly asOf: readonly string[];
  private readonly shape: AnswerShape;
  private readonly answers: readonly TraverseAnswer[];
  private readonly resume: (token: string) => Promise<TraverseAnswer>;

  constructor(
    shape: AnswerShape,
    answers: readonly TraverseAnswer[],
    resume: (token: string) => Promise<TraverseAnswer>,
  ) {
    this.shape = shape;
    this.answers = answers;
    this.resume = resume;
    this.complete = answers.every((answer) => answer.complete);
    this.asOf = answers[0]?.asOf ?? [];
    const last = shape.hops.length;
    const rows = answers.flatMap((answer) => [...nodesAt(answer, shape, last).values()]);
    this.nodes = [...new Map(rows.map((row) => [row.id, row])).values()];
  }

  edges(hop: number): readonly unknown[] {
    const { edge } = this.shape.hops[hop]!;
    return this.answers.flatMap((answer) => {
      const near = nodesAt(answer, this.shape, hop);
      const far = nodesAt(answer, this.shape, hop + 1);
      const nearType = nodeAt(this.shape, hop).name;
      const [fromNear, toNear] = [edge.from.name === nearType, edge.to.name === nearType];
      const end = (id: string, inNear: boolean, inFar: boolean, type: AnyNode): unknown =>
        (inNear ? near.get(id) : undefined) ??
        (inFar ? far.get(id) : undefined) ?? { type: type.name, id, properties: {} };
      return edgesAt(answer, hop).map((row) => ({
        from: end(row.from, fromNear, toNear, edge.from),
        to: end(row.to, toNear, fromNear, edge.to),
        firstSeen: new Date(row.firstSeen),
        lastSeen: new Date(row.lastSeen),
        properties: decodeProperties(row.properties, edge.model.properties),
      }));
    });
  }

  async more(): Promise<TypedAnswer> {
    const answers: TraverseAnswer[] = [];
    for (const { hops } of this.answers) {
      for (const hop of hops) {
        if (hop.complete) continue;
        const { next, reason } = hop.truncated;
        if (next === undefined) {
          throw new RdgError("invalid", "not_continuable", reason ?? "This answer cannot be continued.", {
            hint: "Ask again from fewer starts, or with a higher limit.",
          });
        }
        answers.push(await this.resume(next));
      }
    }
    return new TypedAnswer(this.shape, answers, this.resume);
  }
}

function nodeAt(shape: AnswerShape, level: number): AnyNode {
  return level === 0 ? shape.start : shape.hops[level - 1]!.reached;
}

/** Rows by id; empty where a continued answer begins behind this level. */
function nodesAt(answer: TraverseAnswer, shape: AnswerShape, level: number): Map<string, AnyRow> {
  const nodes = answer.levels[level - (answer.fromHop ?? 0)]?.nodes ?? [];
  const { model } = nodeAt(shape, level);
  return new Map(nodes.map((node) => [node.id, nodeRow(node, model.properties)]));
}

function edgesAt(answer: TraverseAnswer, hop: number): readonly EdgeAnswer[] {
  const level = hop + 1 - (answer.fromHop ?? 0);
  return (level > 0 ? answer.levels[level]?.edges : undefined) ?? [];
}

function nodeRow(node: NodeAnswer, properties: readonly PropertyModel[]): AnyRow {
  const { type, id, firstSeen, lastSeen } = node;
  const seen = firstSeen !== undefined && lastSeen !== undefined;
  const times = seen ? { firstSeen: new Date(firstSeen), lastSeen: new Date(lastSeen) } : {};
  return { type, id, ...times, properties: decodeProperties(node.properties ?? {}, properties) };
}

function decodeProperties(
  values: { readonly [name: string]: JsonValue },
  properties: readonly PropertyModel[],
): { readonly [name: string]: unknown } {
  const entries = properties.flatMap(({ name, type, merge }): [string, unknown][] => {
    if (!Object.hasOwn(values, name)) return [];
    return [[name, decode(values[name]!, merge === "union" ? { kind: "array", item: type } : type)]];
  });
  return Object.fromEntries(entries);
}

function decode(value: JsonValue, type: ValueType): unknown {
  if (value === null) return null;
  switch (type.kind) {
    case "int64":
      return BigInt(value as string);
    case "timestamp":
      return new Date(value as string);
    case "bytes":
      return parseBase64(value as string);
    case "array":
      return (value as readonly JsonValue[]).map((item) => decode(item, type.item));
    case "map":
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, decode(item as JsonValue, type.value)]),
      );
    case "record": {
      const record = value as { readonly [name: string]: JsonValue };
      const present = type.fields.filter(({ name }) => Object.hasOwn(record, name));
      return Object.fromEntries(present.map((field) => [field.name, decode(record[field.name]!, field.type)]));
    }
    default:
      return value;
  }
}
