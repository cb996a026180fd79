// Requests printed as text and parsed again mean the same.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planTraversal } from "../../src/query/request.ts";
import { formatQuery } from "../../src/query/text/format.ts";
import { parseQuery } from "../../src/query/text/parse.ts";
import { defaultTraversalLimits } from "../../src/query/traversal-plan.ts";
import { models, nowMs, requestsOf } from "./random-graph.ts";

test("a request printed as text and parsed again gives the same plan", () => {
  const requests = models.chain((model) => fc.record({ model: fc.constant(model), request: requestsOf(model) }));
  fc.assert(
    fc.property(requests, ({ model, request }) => {
      const plan = (json: unknown): unknown => {
        const { source: _, ...rest } = planTraversal(json, model, defaultTraversalLimits, nowMs);
        return rest;
      };
      const text = formatQuery(request, model);
      expect(plan(parseQuery(text, model))).toEqual(plan(request));
      expect(formatQuery(parseQuery(text, model), model)).toBe(text);
    }),
    { numRuns: 500 },
  );
});
