// Explanations at a terminal.
import { expect, test } from "vitest";
import type { Explanation } from "../model/traversal.ts";
import { renderExplanation } from "./render-explain.ts";

const origins = { limit: "hop", order: "built-in", since: "definition" } as const;
const rule = { limit: 50, order: "latest", since: "2026-10-22T12:00:00.000Z" } as const;
const explanation: Explanation = {
  hops: [
    {
      hop: 0,
      branches: [
        { edge: "uses", direction: "out", from: ["account"], to: ["device"], rule, origins, filtersInStore: true },
        {
          edge: "knows",
          direction: "both",
          from: ["account"],
          to: ["account"],
          rule: { limit: 300, order: "any", until: "2026-11-01T00:00:00.000Z" },
          origins: { ...origins, until: "edge" },
          filtersInStore: false,
        },
      ],
      pruned: [{ edge: "odd\u001b[2J", direction: "in", reason: 'edge type "odd" has no property "plays".' }],
    },
    {
      hop: 1,
      repetition: 2,
      branches: [
        { edge: "uses", direction: "in", from: ["device"], to: ["account"], rule, origins, filtersInStore: true },
      ],
      pruned: [],
    },
  ],
  budget: { edges: 10, scanned: 20, bytes: 30, timeoutMs: 40 },
};

test("a plan is told hop by hop, with where each rule came from and what is passed by", () => {
  expect(renderExplanation(explanation).split("\n")).toEqual([
    "Hop 1",
    "  account ─ uses → device  limit 50 (hop), latest (built-in), since 2026-10-22 12:00:00 (definition)",
    "  account ← knows → account  limit 300 (hop), any (built-in), since ever (definition), until 2026-11-01 00:00:00 (edge), filtered behind the store",
    '  passed by "odd\\u001b[2J" in: edge type "odd" has no property "plays".',
    "Hop 2.2",
    "  device ← uses ─ account  limit 50 (hop), latest (built-in), since 2026-10-22 12:00:00 (definition)",
    "Budget: 10 edges, 20 looked at, 30 bytes, 40 ms",
  ]);
});

test("a profile adds a row of figures per level, and totals", () => {
  const level = { frontier: 1, scanned: 12, filtered: 2, returned: 10, cacheHits: 3, cacheMisses: 1 };
  const profile: Explanation = {
    ...explanation,
    levels: [
      { ...level, adjacencyUs: 1_234, nodesUs: 50, enrichUs: 0 },
      { ...level, frontier: 10, adjacencyUs: 12_000, nodesUs: 0, enrichUs: 0 },
    ],
    totals: { waitUs: 0, planUs: 149, walkUs: 14_000, encodeUs: 1_000 },
  };
  expect(renderExplanation(profile).split("\n").slice(7)).toEqual([
    "",
    "hop  walked from  looked at  refused  answered  cached  edges ms  nodes ms  enrich ms",
    "  1            1         12        2        10     3/4       1.2       0.1        0.0",
    "2.2           10         12        2        10     3/4      12.0       0.0        0.0",
    "Waited 0.0 ms, planned 0.1, walked 14.0, encoded 1.0",
  ]);
});

test("colour comes only when asked for, and never from data", () => {
  expect(renderExplanation(explanation)).not.toContain("\u001b");
  expect(renderExplanation(explanation, { color: true })).toContain("\u001b[1muses\u001b[22m");
});
