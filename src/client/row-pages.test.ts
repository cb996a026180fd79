// Pages of rows that are made for it: large ones, overlapping ones, more than are remembered.
import { expect, test } from "vitest";
import { knows, person } from "../../test/client/people.ts";
import type { AnswerShape } from "./levels.ts";
import { rowPages } from "./row-pages.ts";
import type { AnswerPart } from "./transport.ts";

const hop = {
  walks: [{ edge: knows, direction: "both" as const }],
  far: new Map([[person.name, person]]),
  repeats: false,
};
const shape: AnswerShape = { start: person, hops: [hop], enrichments: [] };
const seen = "2026-01-01T00:00:00.000Z";
const edges = (from: number, to: number): AnswerPart => ({
  level: 1,
  edges: Array.from({ length: to - from }, (_, i) => ({
    type: "knows",
    from: "a",
    to: `n${from + i}`,
    firstSeen: seen,
    lastSeen: seen,
    properties: {},
  })),
});
const end = (next?: string): AnswerPart => ({
  end: {
    hops: [
      next === undefined ? { complete: true } : { complete: false, truncated: { cause: "limit", nodes: 1, next } },
    ],
    complete: next === undefined,
    asOf: [],
    timings: { waitMs: 0, hopsMs: [], nodesMs: 0, encodeMs: 0 },
  },
});

async function read(pages: readonly (readonly AnswerPart[])[], rememberedMax?: number): Promise<string[]> {
  let page = 0;
  async function* parts(): AsyncGenerator<AnswerPart> {
    yield* pages[page++]!;
  }
  const ids: string[] = [];
  for await (const { to } of rowPages({}, (next) => ({ next }), 0, shape, parts, rememberedMax)) ids.push(to.id);
  return ids;
}

test("a page may be larger than what a call takes as arguments", async () => {
  expect(await read([[edges(0, 200_000), end()]])).toHaveLength(200_000);
});

test("what comes again on a later page comes once", async () => {
  const pages = [
    [edges(0, 3), edges(2, 5), end("x")],
    [edges(3, 8), end()],
  ];
  expect(await read(pages)).toEqual(Array.from({ length: 8 }, (_, i) => `n${i}`));
});

test("behind what is remembered it ends, rather than show anything twice", async () => {
  const pages = [
    [edges(0, 4), end("x")],
    [edges(2, 6), end()],
  ];
  await expect(read(pages, 5)).rejects.toMatchObject({ code: "too_many_rows", retryable: false });
  expect(await read(pages, 6)).toHaveLength(6);
});
