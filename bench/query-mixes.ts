// The mixes of queries that are sent to a server as load: the same for the same seed.
import { titleId } from "../examples/streaming/playback-event.ts";
import { type Random, seededRandom } from "../src/core/random.ts";
import type { CountRequest } from "../src/model/questions.ts";
import type { TraverseRequest } from "../src/model/traversal.ts";
import { profileId, type ServingGraph, supernodeTitle } from "./serving-data.ts";

export const mixNames = ["shallow", "deep", "linkBench", "supernode"] as const;
export type MixName = (typeof mixNames)[number];

export interface MixOptions {
  readonly mix: MixName;
  readonly graph: ServingGraph;
  /** Which starts: a few asked for again and again, or all of them alike. */
  readonly starts: "zipf" | "uniform";
  readonly seed: number;
  /** Ends of edges that exist, for those that are asked for one by one. */
  readonly pairs: readonly (readonly [from: string, to: string])[];
}

/** One question, whatever it is asked over. */
export type Query =
  | { readonly kind: "traverse"; readonly request: TraverseRequest }
  | { readonly kind: "node"; readonly type: string; readonly id: string }
  | { readonly kind: "edge"; readonly type: string; readonly from: string; readonly to: string }
  | { readonly kind: "count"; readonly request: CountRequest };

export function queriesOf(options: MixOptions, count: number): Query[] {
  const random = seededRandom(options.seed);
  const write = writers[options.mix];
  return Array.from({ length: count }, () => write(options, random));
}

type Write = (options: MixOptions, random: Random) => Query;

const traverse = (request: TraverseRequest): Query => ({ kind: "traverse", request });

const writers: Readonly<Record<MixName, Write>> = {
  /** What profiles have watched: one hop of about 50 edges with three properties, to titles with two. */
  shallow: (options, random) =>
    traverse({
      from: { type: "profile", ids: [profileId(startOf(options, random))] },
      hops: [{ edge: "watched", order: "latest", limit: 100 * (1 + random.below(3)) }],
    }),
  /** Who has watched a title lately, what they went back to again and again, and who else has come some way with that. */
  deep: (options, random) =>
    traverse({
      from: { type: "title", ids: [titleId(1 + random.below(Math.min(2000, options.graph.titles - 1)))] },
      hops: [
        { edge: "watched", direction: "in", limit: 100, select: { edge: [] } },
        { edge: "watched", limit: 50, where: { edge: { plays: { gte: 3 } } }, select: { edge: ["plays"], node: [] } },
        {
          edge: "watched",
          direction: "in",
          limit: 20,
          where: { edge: { furthestMs: { gte: 1_800_000 } } },
          select: { edge: ["furthestMs"] },
        },
      ],
    }),
  /** The reads of LinkBench in their shares: lists of links 50.7, nodes 12.9, counts 4.9, single links 0.5; of the lists 30 % go back in time. */
  linkBench: (options, random) => {
    const chosen = random.below(690);
    const id = profileId(startOf(options, random));
    if (chosen < 129) return { kind: "node", type: "title", id: titleId(random.below(options.graph.titles)) };
    if (chosen < 134 && options.pairs.length > 0) {
      const [from, to] = options.pairs[random.below(options.pairs.length)]!;
      return { kind: "edge", type: "watched", from, to };
    }
    if (chosen < 183) return { kind: "count", request: { from: { type: "profile", ids: [id] }, edge: "watched" } };
    const range = random.below(10) < 3 ? { since: "20d", until: "10d" } : {};
    return traverse({
      from: { type: "profile", ids: [id], select: [] },
      hops: [{ edge: "watched", limit: 100, ...range, select: { node: [] } }],
    });
  },
  /** The latest hundred of millions. */
  supernode: () =>
    traverse({
      from: { type: "title", ids: [supernodeTitle] },
      hops: [{ edge: "watched", direction: "in", order: "latest", limit: 100 }],
    }),
};

/** Popular profiles are anywhere among the others. */
function startOf({ graph, starts }: MixOptions, random: Random): number {
  const { profiles } = graph;
  if (starts === "uniform") return random.below(profiles);
  const rank = Math.floor(profiles ** (random.below(2 ** 32) / 2 ** 32));
  return (rank * 7919) % profiles;
}
