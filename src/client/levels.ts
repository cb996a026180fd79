// An answer's levels by hop and repetition, as rows: an edge finds its nodes on the levels that its hop leads from and to.
import type { AnyEdge, AnyNode } from "../model/define/declaration.ts";
import type { AnyAskedEnrichment } from "../model/define/enrichment.ts";
import type { EdgeAnswer, HopAnswer, LevelAnswer, NodeAnswer } from "../model/traversal.ts";
import { type AnyEdgeRow, type AnyNodeRow, edgeRow, nodeRow } from "./decode.ts";
import type { EdgeOf } from "./reach.ts";
import type { EdgeRow, NodeRow } from "./rows.ts";
import type { NodeTypes } from "./rules.ts";
import type { Walk } from "./walked-edge.ts";

/** What an answer's rows are decoded by. */
export interface AnswerShape {
  /** Missing where the traversal is text: no declaration is known then. */
  readonly start: AnyNode | undefined;
  readonly hops: readonly HopShape[];
  readonly enrichments: readonly AnyAskedEnrichment[];
}

export interface HopShape {
  /** Missing: whatever there is, and so no declaration is known. */
  readonly walks: readonly Walk[] | undefined;
  readonly far: NodeTypes | undefined;
  readonly repeats: boolean;
}

export class Level {
  /** -1: the starts. */
  readonly hop: number;
  /** From 1. */
  readonly repetition: number;
  readonly #answer: LevelAnswer;
  readonly #types: NodeTypes | undefined;
  readonly #enrichments: readonly AnyAskedEnrichment[];
  #nodes: ReadonlyMap<string, NodeAnswer> | undefined;
  readonly #rows = new Map<NodeAnswer, AnyNodeRow>();

  constructor(
    hop: number,
    repetition: number,
    answer: LevelAnswer,
    types: NodeTypes | undefined,
    enrichments: readonly AnyAskedEnrichment[] = [],
  ) {
    this.hop = hop;
    this.repetition = repetition;
    this.#answer = answer;
    this.#types = types;
    this.#enrichments = enrichments;
  }

  get edges(): NonNullable<LevelAnswer["edges"]> {
    return this.#answer.edges ?? [];
  }

  rows(): AnyNodeRow[] {
    return this.#answer.nodes.map((node) => this.#row(node, this.#types?.get(node.type)));
  }

  /** The row of a node that the answer says nothing of. */
  bare(type: string, id: string): AnyNodeRow {
    return nodeRow({ type, id }, undefined, this.#enrichments);
  }

  /** The row of a node, of this declaration where its type is known by an edge. */
  find(type: string, id: string, declaration: AnyNode | undefined): AnyNodeRow | undefined {
    this.#nodes ??= new Map(this.#answer.nodes.map((node) => [keyOf(node.type, node.id), node]));
    const node = this.#nodes.get(keyOf(type, id));
    return node && this.#row(node, declaration);
  }

  #row(node: NodeAnswer, declaration: AnyNode | undefined): AnyNodeRow {
    if (declaration === undefined) return untypedNode(node, this.#enrichments);
    const known = this.#rows.get(node);
    if (known !== undefined) return known;
    const row = nodeRow(node, declaration, this.#enrichments);
    this.#rows.set(node, row);
    return row;
  }
}

export function keyOf(type: string, id: string): string {
  return `${type}\0${id}`;
}

/** Of which hop each level is. `from`: the hop that a continued answer goes on with. */
export function levelsOf(
  levels: readonly LevelAnswer[],
  hops: readonly HopAnswer[],
  fromHop: number,
  shape: AnswerShape,
): Level[] {
  return levels.map((level, i) => {
    if (i > 0) return levelOf(hops[i - 1]?.hop ?? fromHop + i - 1, hops[i - 1]?.repetition ?? 1, level, shape);
    const { hop = fromHop, repetition = 1 } = hops[0] ?? {};
    return repetition > 1 ? levelOf(hop, repetition - 1, level, shape) : levelOf(hop - 1, 1, level, shape);
  });
}

function levelOf(hop: number, repetition: number, level: LevelAnswer, shape: AnswerShape): Level {
  const { start, hops, enrichments } = shape;
  const types = hop < 0 ? start && new Map([[start.name, start]]) : hops[hop]?.far;
  return new Level(hop, repetition, level, types, enrichments);
}

/** The rows of a level's edges. @param before the levels up to it, in order */
export function edgeRowsOf(level: Level, before: readonly Level[], walks: HopShape["walks"]): AnyEdgeRow[] {
  const near = before.filter(({ hop }) => hop === level.hop - 1 || hop === level.hop).reverse();
  const source: EdgeSource = { near, far: [level] };
  const walkOf = new Map(walks?.map((walk) => [walk.edge.name, walk]));
  return level.edges.map((edge) => {
    const walk = walkOf.get(edge.type);
    return walk === undefined ? untypedEdge(edge, source) : typedEdge(edge, source, walk);
  });
}

/** Where the nodes of an edge are: a node of a repeated hop may have been reached by any repetition before. */
interface EdgeSource {
  readonly near: readonly Level[];
  readonly far: readonly Level[];
}

function typedEdge(edge: EdgeAnswer, { near, far }: EdgeSource, { edge: declaration, direction }: Walk): AnyEdgeRow {
  const [fromSide, toSide] =
    direction === "in"
      ? [
          [...far, ...near],
          [...near, ...far],
        ]
      : [
          [...near, ...far],
          [...far, ...near],
        ];
  const { from, to } = declaration;
  return edgeRow(edge, endRow(fromSide, from, edge.from), endRow(toSide, to, edge.to), declaration);
}

function endRow(levels: readonly Level[], declaration: AnyNode, id: string): AnyNodeRow {
  for (const level of levels) {
    const row = level.find(declaration.name, id, declaration);
    if (row !== undefined) return row;
  }
  return levels[0]!.bare(declaration.name, id);
}

/** What rows without a declaration were made of. */
const untypedNodes = new WeakMap<object, NodeAnswer>();
const untypedEdges = new WeakMap<object, { readonly edge: EdgeAnswer; readonly source: EdgeSource }>();

function untypedNode(node: NodeAnswer, enrichments: readonly AnyAskedEnrichment[]): AnyNodeRow {
  const row = nodeRow(node, undefined, enrichments);
  untypedNodes.set(row, node);
  return row;
}

/** Of which types its ends are is not known either. */
function untypedEdge(edge: EdgeAnswer, source: EdgeSource): AnyEdgeRow {
  const row = edgeRow(edge, { id: edge.from }, { id: edge.to }, undefined);
  untypedEdges.set(row, { edge, source });
  return row;
}

/**
 * A row of a hop over any edges as a row of this declaration, its values and ends by their types; undefined when it is of another type.
 *
 *     for (const edge of answer.edges(0)) console.log(rowAs(edge, watched)?.properties.plays);
 */
export function rowAs<D extends AnyNode | EdgeOf>(
  row: NodeRow<AnyNode> | EdgeRow<AnyEdge>,
  declaration: D,
): (D extends AnyNode ? NodeRow<D> : EdgeRow<D>) | undefined;
export function rowAs(row: object, declaration: AnyNode | AnyEdge): unknown {
  if (declaration.kind === "node") {
    const node = untypedNodes.get(row);
    return node?.type === declaration.name ? nodeRow(node, declaration) : undefined;
  }
  const found = untypedEdges.get(row);
  if (found === undefined || found.edge.type !== declaration.name) return undefined;
  return typedEdge(found.edge, found.source, { edge: declaration, direction: "both" });
}
