// What is behind `Answer`: one or more answers of one shape, read as one.
import { RdgError } from "../core/errors.ts";
import type { EnrichmentAnswer, Explanation, TraversalTimings, TraverseAnswer } from "../model/traversal.ts";
import type { Cut } from "./answer.ts";
import type { AnyEdgeRow, AnyNodeRow } from "./decode.ts";
import { type AnswerShape, type Level, edgeRowsOf, keyOf, levelsOf } from "./levels.ts";

/** Goes on at a continuation. */
export type Resume = (next: string) => Promise<TraverseAnswer>;

export class TypedAnswer {
  readonly complete: boolean;
  readonly truncated: readonly Cut[];
  readonly asOf: readonly string[];
  readonly timings: TraversalTimings;
  readonly enrichments: readonly EnrichmentAnswer[];
  readonly explanation?: Explanation;
  readonly #shape: AnswerShape;
  readonly #answers: readonly (readonly Level[])[];
  readonly #resume: Resume;
  #nodes: readonly AnyNodeRow[] | undefined;

  /** @param answers at least one */
  constructor(shape: AnswerShape, answers: readonly TraverseAnswer[], resume: Resume) {
    const [first] = answers;
    this.#shape = shape;
    this.#answers = answers.map(({ levels, hops, fromHop }) => levelsOf(levels, hops, fromHop ?? 0, shape));
    this.#resume = resume;
    this.complete = answers.every((answer) => answer.complete);
    this.truncated = answers.flatMap(cutsOf);
    this.asOf = first!.asOf;
    this.timings = first!.timings;
    this.enrichments = answers.flatMap((answer) => answer.enrichments ?? []);
    if (first!.explain !== undefined) this.explanation = first!.explain;
  }

  get nodes(): readonly AnyNodeRow[] {
    this.#nodes ??= this.level(this.#shape.hops.length);
    return this.#nodes;
  }

  level(level: number, repetition?: number): readonly AnyNodeRow[] {
    const rows = this.#levels(level - 1, repetition).flatMap(([own]) => own.rows());
    return [...new Map(rows.map((row) => [keyOf(row.type, row.id), row])).values()];
  }

  edges(hop: number, repetition?: number): readonly AnyEdgeRow[] {
    return this.#levels(hop, repetition).flatMap(([own, before]) =>
      edgeRowsOf(own, before, this.#shape.hops[hop]!.walks),
    );
  }

  async more(): Promise<TypedAnswer> {
    if (this.complete) {
      const { asOf, timings } = this;
      return new TypedAnswer(this.#shape, [{ levels: [], hops: [], complete: true, asOf, timings }], this.#resume);
    }
    const answers: TraverseAnswer[] = [];
    for (const cut of this.truncated) answers.push(await this.#resume(nextOf(cut)));
    return new TypedAnswer(this.#shape, answers, this.#resume);
  }

  /** Those of a hop, each with the levels before it. */
  #levels(hop: number, repetition: number | undefined): [Level, readonly Level[]][] {
    return this.#answers.flatMap((levels) =>
      levels.flatMap((level, i): [Level, readonly Level[]][] =>
        level.hop === hop && (repetition ?? level.repetition) === level.repetition ? [[level, levels.slice(0, i)]] : [],
      ),
    );
  }
}

export function cutsOf({ hops, fromHop = 0 }: Pick<TraverseAnswer, "hops" | "fromHop">): Cut[] {
  return hops.flatMap((answer, i): Cut[] => {
    if (answer.complete) return [];
    const { hop = fromHop + i, repetition } = answer;
    return [{ hop, ...(repetition !== undefined && { repetition }), ...answer.truncated }];
  });
}

/** @throws RdgError invalid, `not_continuable` */
export function nextOf({ next, reason }: Cut): string {
  if (next !== undefined) return next;
  throw new RdgError("invalid", "not_continuable", reason ?? "This answer cannot be continued.", {
    hint: "Ask again from fewer starts, or with a higher limit.",
  });
}
