// Traversals of every form against their naive twin: random definitions, graphs and requests; paged to their end; taken in parts; and rules against a naive reading.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type {
  ContinueRequest,
  EdgeAnswer,
  HopRequest,
  LevelAnswer,
  NodeAnswer,
  Rule,
  TraverseAnswer,
  TraverseRequest,
} from "../../src/model/traversal.ts";
import { parseMoment } from "../../src/query/moments.ts";
import type { EndPart, Queries } from "../../src/query/port.ts";
import { createQueries } from "../../src/query/queries.ts";
import { edgeAnswer, nodeAnswer } from "../../src/query/questions/answers.ts";
import type { StepPlan } from "../../src/query/traversal-plan.ts";
import type { Store } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { type PlainGraph, referenceTraversal } from "../../src/testing/reference-traversal.ts";
import { feed, nowMs, plainGraph, type Scenario } from "./random-graph.ts";
import { type PlannedScenario, planOf, wideScenarios } from "./random-traversal.ts";

const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
const context = { signal: new AbortController().signal };

/** All requests of a random definition and graph, one after the other, with numbers that bound a first answer. */
function forEach(
  runs: number,
  check: (scenario: PlannedScenario, opened: Opened, bounds: Bounds) => Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(wideScenarios, bounds, async (scenarios, bound) => {
    if (scenarios.length === 0) return;
    const opened = await open(scenarios[0]!);
    for (const scenario of scenarios) await check(scenario, opened, bound);
  });
  return fc.assert(property, { numRuns: runs });
}

interface Bounds {
  readonly edges: number;
  readonly scanned: number;
  readonly bytes: number;
}

const bounds: fc.Arbitrary<Bounds> = fc.record({
  edges: fc.integer({ min: 1, max: 11 }),
  scanned: fc.integer({ min: 1, max: 13 }),
  bytes: fc.integer({ min: 1, max: 40 }),
});

interface Opened {
  readonly queries: Queries;
  readonly graph: PlainGraph;
}

async function open(scenario: Scenario): Promise<Opened> {
  const store = referenceStore({ model: scenario.model, clock });
  await feed(store, scenario);
  return { queries: queriesOf(scenario.model, store), graph: await plainGraph(store) };
}

function queriesOf(model: GraphModel, store: Store): Queries {
  return createQueries({ model, store, clock, waitFor: async () => true, continuationKey: new Uint8Array(32) });
}

async function ask(queries: Queries, request: TraverseRequest | ContinueRequest): Promise<TraverseAnswer> {
  const { json } = await queries.traverse(JSON.parse(JSON.stringify(request)), context);
  return JSON.parse(Buffer.from(json).toString()) as TraverseAnswer;
}

/** Without limits wherever rules stand; a condition on a property that is called `limit` stays. */
function unlimited(scenario: Scenario): Scenario {
  const { limit: _, ...traversals } = scenario.model.traversals ?? {};
  const { from, hops = [], defaults = {} } = scenario.request;
  const request: TraverseRequest = {
    from,
    hops: hops.map(({ edge, ...hop }) => ({
      ...withoutLimit(hop),
      edge:
        typeof edge === "string" ? edge : edge.map((each) => (typeof each === "string" ? each : withoutLimit(each))),
    })),
    defaults: withoutLimit(defaults),
  };
  return { ...scenario, request, model: { ...scenario.model, traversals } };
}

function withoutLimit<T extends Rule>(rule: T): Omit<T, "limit"> {
  const { limit: _, ...rest } = rule;
  return rest;
}

const nodeKey = ({ type, id }: NodeAnswer): string => JSON.stringify([type, id]);
const edgeKey = ({ type, from, to }: EdgeAnswer): string => JSON.stringify([type, from, to]);

describe("a traversal of any form", () => {
  test("answers what the naive twin answers, in its order", async () => {
    await forEach(600, async (scenario, { queries, graph }) => {
      const expected = referenceTraversal(scenario.model, graph, scenario.plan);
      const answer = await ask(queries, scenario.request);
      expect(answer.levels).toEqual(expected.levels);
      expect(answer.hops).toHaveLength(scenario.plan.steps.length);
      for (const [i, hop] of answer.hops.entries()) {
        if (hop.complete) expect(expected.cut[i]).toBe(0);
        else expect(hop.truncated.nodes).toBeGreaterThanOrEqual(expected.cut[i]!);
        const { hop: number, repetition } = scenario.plan.steps[i]!;
        if (scenario.plan.repeats) expect([hop.hop, hop.repetition]).toEqual([number, repetition]);
        else expect([hop.hop, hop.repetition]).toEqual([undefined, undefined]);
      }
    });
  });

  test("continued to its end finds what it finds without limits and budgets", async () => {
    await forEach(150, async (scenario, { queries, graph }, budget) => {
      const whole = unlimited(scenario);
      const plan = planOf(whole)!;
      const expected = referenceTraversal(whole.model, graph, plan);
      const found = new Found();
      const pages: Page[] = [{ request: { ...scenario.request, budget }, chain: [] }];
      // Each page of a chain takes at least one further edge of its hop, which can be walked from both ends by two branches, or ends it: so paging always ends.
      const chainMax = 4 * graph.edges.length + 10;
      for (let asked = 0; pages.length > 0; asked++) {
        const page = pages.pop()!;
        const answer = await ask(queries, page.request);
        // What an early hop reaches on each of its pages, later hops walk from: pages of one size come to one per walk through the graph, which can be too many to wait for.
        const more = Math.max(0, asked - pagesOfOneSize);
        const next = { edges: budget.edges + more, scanned: budget.scanned + more };
        for (const [i, hop] of answer.hops.entries()) {
          const number = hop.hop ?? (answer.fromHop ?? 0) + i;
          found.add(number, answer.levels[i + 1]!);
          const chain = [...(i === 0 ? page.chain : []), answer.levels[i + 1]!.edges!.map(edgeKey)];
          const step = plan.steps.find((of) => of.hop === number && of.repetition === hop.repetition)!;
          if (isOneWay(step)) expect(new Set(chain.flat()).size).toBe(chain.flat().length);
          if (hop.complete) continue;
          expect(hop.truncated.reason).toBeUndefined();
          expect(chain.length).toBeLessThan(chainMax);
          pages.push({ request: { continue: hop.truncated.next!, budget: next }, chain });
        }
      }
      const all = new Found();
      for (const [i, step] of plan.steps.entries()) all.add(step.hop, expected.levels[i + 1]!);
      expect(found.sorted()).toEqual(all.sorted());
    });
  });

  test("taken in parts is the same", async () => {
    await forEach(100, async (scenario, { queries }) => {
      const answer = await ask(queries, scenario.request);
      const levels: { nodes: NodeAnswer[]; edges?: EdgeAnswer[] }[] = answer.levels.map(({ edges }) =>
        edges === undefined ? { nodes: [] } : { nodes: [], edges: [] },
      );
      const ends: EndPart[] = [];
      for await (const part of queries.traverseParts(JSON.parse(JSON.stringify(scenario.request)), context)) {
        expect(ends).toEqual([]);
        if (part.kind === "end") {
          ends.push(part);
          continue;
        }
        const { from, to, level, select } = part;
        expect(to - from).toBeGreaterThan(0);
        for (let i = from; i < to; i++) {
          if (part.kind === "nodes") {
            levels[level]!.nodes.push(nodeAnswer(scenario.model, part.type, part.ids[i]!, part.rows, i, select));
          } else {
            const row = {
              firstSeenMs: part.firstSeenMs[i]!,
              lastSeenMs: part.lastSeenMs[i]!,
              properties: part.properties.map((column) => column[i]),
            };
            const [fromId, toId] = [part.fromIds[i]!, part.toIds[i]!];
            levels[level]!.edges!.push(edgeAnswer(scenario.model, part.edge, fromId, toId, row, select));
          }
        }
      }
      expect(levels).toEqual(answer.levels);
      const { levels: _, ...rest } = answer;
      expect(ends).toEqual([{ kind: "end", ...rest }]);
    });
  });
});

/** Pages after which they grow. */
const pagesOfOneSize = 2_000;

/** One request on the way to the end, and what the pages before it have found of the hop that it goes on with. */
interface Page {
  readonly request: TraverseRequest | ContinueRequest;
  readonly chain: readonly (readonly string[])[];
}

/** Whether no edge can be found from both of its ends. */
function isOneWay({ branches }: StepPlan): boolean {
  const walked = branches.flatMap(({ edge, walks }) => walks.map(() => edge));
  return new Set(walked).size === walked.length;
}

/** What was found by hop, in any number of answers. */
class Found {
  readonly #hops = new Map<number, { readonly nodes: Set<string>; readonly edges: Set<string> }>();

  add(hop: number, { nodes, edges = [] }: LevelAnswer): void {
    const known = this.#hops.get(hop) ?? { nodes: new Set(), edges: new Set() };
    this.#hops.set(hop, known);
    for (const node of nodes) known.nodes.add(nodeKey(node));
    for (const edge of edges) known.edges.add(edgeKey(edge));
  }

  sorted(): unknown {
    return [...this.#hops]
      .map(([hop, { nodes, edges }]) => [hop, [...nodes].sort(), [...edges].sort()] as const)
      .filter(([, nodes, edges]) => nodes.length + edges.length > 0)
      .sort(([a], [b]) => a - b);
  }
}

/** What a hop may walk from nodes of these types, read off the definition: `edge way from to` each. */
function possibleBranches(model: GraphModel, hop: HopRequest, types: ReadonlySet<string>): Set<string> {
  const isAny = hop.edge === "*";
  const asked = isAny ? model.edges.map(({ name }) => name) : typeof hop.edge === "string" ? [hop.edge] : hop.edge;
  const branches = asked.flatMap((each) => {
    const { type, direction } = typeof each === "string" ? { type: each } : each;
    const way = direction ?? hop.direction ?? (isAny ? "both" : "out");
    const { name, from, to } = model.edges.find((candidate) => candidate.name === type)!;
    if (way === "both" && from === to) return types.has(from) ? [`${name} both ${from} ${to}`] : [];
    return [
      ...(way !== "in" && types.has(from) ? [`${name} out ${from} ${to}`] : []),
      ...(way !== "out" && types.has(to) ? [`${name} in ${to} ${from}`] : []),
    ];
  });
  return new Set(branches);
}

describe("branches", () => {
  test("are what the definition allows, but for any edge types that lack what is asked for", async () => {
    await forEach(100, async ({ model, request }, { queries }) => {
      const { explain } = await ask(queries, { ...request, explain: "plan" });
      let types: ReadonlySet<string> = new Set([request.from.type]);
      let reached = new Set<string>();
      for (const [i, { hop, branches, pruned }] of explain!.hops.entries()) {
        if (i > 0 && explain!.hops[i - 1]!.hop !== hop) [types, reached] = [reached, new Set()];
        const walked = new Set(
          branches.map(({ edge, direction, from, to }) => `${edge} ${direction} ${from[0]} ${to[0]}`),
        );
        const possible = possibleBranches(model, request.hops![hop]!, types);
        const lacking =
          request.hops![hop]!.edge === "*" ? pruned.map(({ edge, direction }) => `${edge} ${direction} `) : [];
        expect(walked).toEqual(new Set([...possible].filter((text) => !lacking.some((edge) => text.startsWith(edge)))));
        types = new Set(branches.flatMap(({ to }) => to));
        for (const type of types) reached.add(type);
      }
    });
  });
});

describe("rules", () => {
  test("are taken from the narrowest place that says something, member by member", async () => {
    await forEach(100, async ({ model, request }, { queries }) => {
      const { explain, levels } = await ask(queries, { ...request, explain: "plan" });
      expect(levels).toEqual([]);
      const { sinceMs, limit, order } = model.traversals ?? {};
      const definition: Rule = {
        ...(limit === undefined ? {} : { limit }),
        ...(order === undefined ? {} : { order }),
        ...(sinceMs === undefined ? {} : { since: sinceMs === "ever" ? "ever" : `${sinceMs}ms` }),
      };
      for (const { hop, branches } of explain!.hops) {
        const asked = request.hops![hop]!;
        for (const { edge, direction, rule, origins } of branches) {
          const named = typeof asked.edge === "string" ? [] : asked.edge;
          const own = named.find((each) => {
            const { type, direction: given } = typeof each === "string" ? { type: each } : each;
            const way = given ?? asked.direction ?? "out";
            return type === edge && (way === direction || way === "both");
          });
          const places: readonly (readonly [string, Rule])[] = [
            ["edge", typeof own === "object" ? own : {}],
            ["hop", asked],
            ["request", request.defaults ?? {}],
            ["definition", definition],
            ["built-in", { limit: 300, order: "latest", since: "100d" }],
          ];
          const said = <K extends keyof Rule>(member: K): readonly [string | undefined, Rule[K] | undefined] => {
            const place = places.find(([, { [member]: value }]) => value !== undefined);
            return [place?.[0], place?.[1][member]];
          };
          const moment = (text: string | undefined): string | undefined =>
            text === undefined || text === "ever" ? undefined : new Date(parseMoment(text, nowMs)!).toISOString();
          expect([origins.limit, rule.limit]).toEqual(said("limit"));
          expect([origins.order, rule.order]).toEqual(said("order"));
          expect([origins.since, rule.since]).toEqual([said("since")[0], moment(said("since")[1])]);
          expect([origins.until, rule.until]).toEqual([said("until")[0], moment(said("until")[1])]);
        }
      }
    });
  });
});
