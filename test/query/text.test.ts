// Requests printed as text and parsed again mean the same.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { GraphModel } from "../../src/model/definition.ts";
import { planTraversal } from "../../src/query/request.ts";
import { formatQuery } from "../../src/query/text/format.ts";
import { parseQuery } from "../../src/query/text/parse.ts";
import { defaultTraversalLimits } from "../../src/query/traversal-plan.ts";
import { models, nowMs, requestsOf } from "./random-graph.ts";
import { planOf, wideScenarios } from "./random-traversal.ts";

function meaningOf(json: unknown, model: GraphModel): unknown {
  const { source: _, ...rest } = planTraversal(json, model, defaultTraversalLimits, nowMs);
  return rest;
}

test("a request of any form printed as text and parsed again gives the same plan, where text can say it", () => {
  fc.assert(
    fc.property(wideScenarios, (scenarios) => {
      for (const { model, request } of scenarios) {
        const { defaults: _defaults, ...rest } = request;
        if (planOf({ model, request: rest }) === undefined) continue;
        const text = formatQuery(rest, model);
        if (text === undefined || isPruned({ model, request: rest })) continue;
        const parsed = parseQuery(text, model);
        expect(meaningOf(parsed, model)).toEqual(meaningOf(JSON.parse(JSON.stringify(rest)), model));
        expect(formatQuery(parsed, model)).toBe(text);
      }
    }),
    { numRuns: 300 },
  );
});

/** Text names no edge type that leads nowhere. */
function isPruned(scenario: Parameters<typeof planOf>[0]): boolean {
  return planOf(scenario)!.steps.some(({ pruned }) => pruned.length > 0);
}

test("a request printed as text and parsed again gives the same plan", () => {
  const requests = models.chain((model) => fc.record({ model: fc.constant(model), request: requestsOf(model) }));
  fc.assert(
    fc.property(requests, ({ model, request }) => {
      const text = formatQuery(request, model)!;
      expect(meaningOf(parseQuery(text, model), model)).toEqual(meaningOf(request, model));
      expect(formatQuery(parseQuery(text, model), model)).toBe(text);
    }),
    { numRuns: 500 },
  );
});
