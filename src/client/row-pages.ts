// Every edge of a hop, one after the other: all continuations of an answer are followed, and no more is read than the loop asks for.
import { RdgError } from "../core/errors.ts";
import type { EdgeAnswer, HopAnswer, NodeAnswer } from "../model/traversal.ts";
import type { Cut } from "./answer.ts";
import type { AnyEdgeRow } from "./decode.ts";
import { type AnswerShape, type Level, edgeRowsOf, levelsOf } from "./levels.ts";
import type { AnswerPart, TraverseEnd } from "./transport.ts";
import { cutsOf, nextOf } from "./typed-answer.ts";

/** Sends a request or a continuation; the parts of its answer as they come. */
export type ReadParts = (request: object) => AsyncIterable<AnswerPart>;

const rememberedMaxDefault = 2_000_000;

export async function* rowPages(
  first: object,
  continued: (next: string) => object,
  hop: number,
  shape: AnswerShape,
  read: ReadParts,
  rememberedMax = rememberedMaxDefault,
): AsyncGenerator<AnyEdgeRow> {
  // Behind the first hop a node may be reached by several pages, and so may its edges; of edges that are walked both ways, either end may come first.
  const comeOnce = hop === 0 && shape.hops[0]?.walks?.every(({ direction }) => direction !== "both") === true;
  const seen = new Set<string>();
  const requests = [{ request: first, fromHop: 0 }];
  let last: Cut | undefined;
  for (let page = requests.pop(); page !== undefined; page = requests.pop()) {
    for await (const piece of pieces(read(page.request), page.fromHop, shape)) {
      if ("end" in piece) {
        // What a page leaves open is followed before what pages before it did: few are open at once.
        for (const cut of cutsOf(piece.end).filter((cut) => cut.hop <= hop)) {
          if (cut.next === undefined) last ??= cut;
          else requests.push({ request: continued(cut.next), fromHop: cut.hop });
        }
        continue;
      }
      for (const row of piece.level.hop === hop ? edgeRowsOf(piece.level, piece.before, shape.hops[hop]!.walks) : []) {
        if (!comeOnce) {
          const key = JSON.stringify([row.type, row.from.id, row.to.id]);
          if (seen.has(key)) continue;
          if (seen.size >= rememberedMax) throw tooMany(rememberedMax);
          seen.add(key);
        }
        yield row;
      }
    }
  }
  if (last !== undefined) nextOf(last);
}

type Piece = { readonly level: Level; readonly before: readonly Level[] } | { readonly end: TraverseEnd };

/** The levels of an answer, each when it is whole, and its end. Which hop repeats a level is told in the end only, so answers with repetitions come whole. */
async function* pieces(parts: AsyncIterable<AnswerPart>, fromHop: number, shape: AnswerShape): AsyncGenerator<Piece> {
  const levels: { nodes: NodeAnswer[]; edges: EdgeAnswer[] }[] = [];
  const whole: Level[] = [];
  const streams = !shape.hops.some(({ repeats }) => repeats);
  const take = function* (until: number, hops: readonly HopAnswer[]): Generator<Piece> {
    while (whole.length < until) {
      const level = levelsOf(levels.slice(0, whole.length + 1), hops, fromHop, shape).at(-1)!;
      yield { level, before: [...whole] };
      whole.push(level);
    }
  };
  for await (const part of parts) {
    if ("end" in part) {
      yield* take(levels.length, part.end.hops);
      yield part;
      return;
    }
    while (levels.length <= part.level) levels.push({ nodes: [], edges: [] });
    // A part may be a whole level, which is more than a call takes arguments.
    for (const node of part.nodes ?? []) levels[part.level]!.nodes.push(node);
    for (const edge of part.edges ?? []) levels[part.level]!.edges.push(edge);
    if (streams) yield* take(part.level, []);
  }
}

function tooMany(rememberedMax: number): RdgError {
  return new RdgError("invalid", "too_many_rows", `There are more than ${rememberedMax} edges.`, {
    hint: "Start from fewer nodes at a time.",
  });
}
