// Queries as text: what is asked, and an answer whose rows no declaration is known of.
import type { AnyEdge, AnyNode } from "../model/define/declaration.ts";
import type { AnyAskedEnrichment } from "../model/define/enrichment.ts";
import type { EnrichmentAnswer, Explanation, TraversalTimings, TraverseAnswer } from "../model/traversal.ts";
import type { Cut } from "./answer.ts";
import type { AnswerShape } from "./levels.ts";
import type { EdgeRow, NodeRow } from "./rows.ts";
import { boundsJson } from "./rules.ts";
import type { RunOptions } from "./steps.ts";
import type { Question } from "./transport.ts";
import { type AnyRunOptions, besideOf } from "./traversal.ts";
import { TypedAnswer } from "./typed-answer.ts";

export interface TextOptions extends RunOptions {
  /** What nodes of the answer get; rows have it as JSON. */
  readonly enrich?: readonly AnyAskedEnrichment[];
}

/** As of hops over any edges: properties are JSON, ends are ids; `rowAs` makes a typed row of one. */
export interface TextAnswer {
  /** Whether everything that was asked for is here. */
  readonly complete: boolean;
  /** What is not. */
  readonly truncated: readonly Cut[];
  /** What the last hop reached. */
  readonly nodes: readonly NodeRow<AnyNode>[];
  readonly asOf: readonly string[];
  readonly timings: TraversalTimings;
  readonly enrichments: readonly EnrichmentAnswer[];
  /** With `profile`. */
  readonly explanation?: Explanation;
  /** The edges of a hop, from 0; of a repeated hop those of all repetitions, or of one, from 1. */
  edges(hop: number, repetition?: number): readonly EdgeRow<AnyEdge>[];
  /** The nodes of a level: 0 holds the starts that exist, i + 1 what hop i reached. */
  level(level: number, repetition?: number): readonly NodeRow<AnyNode>[];
  /** What limits cut off this answer, as far as the next limits allow. @throws RdgError invalid, `not_continuable` */
  more(): Promise<TextAnswer>;
}

type Ask = (question: Question, request: object, signal: AbortSignal | undefined) => Promise<unknown>;

export async function askAsText(ask: Ask, query: string, options: TextOptions & AnyRunOptions): Promise<TypedAnswer> {
  const { defaults, enrich = [], signal } = options;
  const beside = besideOf(options);
  const request = {
    query,
    ...(defaults && { defaults: boundsJson(defaults) }),
    ...(enrich.length > 0 && { enrich: enrich.map(({ name }) => name) }),
    ...beside,
  };
  const answer = (await ask("query", request, signal)) as TraverseAnswer;
  const more = (next: string): Promise<TraverseAnswer> =>
    ask("traverse", { continue: next, ...beside }, signal) as Promise<TraverseAnswer>;
  return new TypedAnswer(shapeOf(answer, enrich), [answer], more);
}

/** Only the answer tells how many hops the text has. */
function shapeOf({ hops }: TraverseAnswer, enrichments: readonly AnyAskedEnrichment[]): AnswerShape {
  const length = hops.reduce((most, { hop }, i) => Math.max(most, (hop ?? i) + 1), 0);
  const unknown = { walks: undefined, far: undefined, repeats: false };
  return { start: undefined, hops: Array.from({ length }, () => unknown), enrichments };
}
