// Damaged and made-up queries: each is answered with JSON, or refused as invalid, whatever is in it; tokens are believed only as they were issued.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemTimers } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import type { Queries } from "../../src/query/port.ts";
import { createQueries } from "../../src/query/queries.ts";
import {
  baseMs,
  conformanceGraph,
  frameOf,
  TestClock,
  upsertEdge,
  upsertNode,
} from "../../src/store/conformance-graph.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import type { EmbeddedStore } from "../../src/store/embedded/store.ts";
import { damage, damaged } from "./damage.ts";
import { rounds } from "./rounds.ts";

const context = { signal: new AbortController().signal };
let folder: string;
let store: EmbeddedStore;
let queries: Queries;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-fuzz-"));
  const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };
  const clock = new TestClock();
  store = await openEmbeddedStore({ folder, model: conformanceGraph, clock, timers: systemTimers, settings });
  const people = Array.from({ length: 30 }, (_, i) => `p${i}`);
  await store.apply(
    frameOf(
      0,
      people.flatMap((person, i) => [
        upsertNode("person", person, baseMs + i, {
          name: `name ${i}`,
          tags: ["a", "b"],
          balance: BigInt(i),
          kind: "film",
        }),
        upsertEdge("knows", person, "p0", baseMs + i, { weight: i / 3, times: 1 }),
        upsertEdge("owns", person, `t${i % 3}`, baseMs),
      ]),
    ),
  );
  const waitFor = async (): Promise<boolean> => false;
  queries = createQueries({ model: conformanceGraph, store, clock, waitFor, continuationKey: Buffer.alloc(32, 7) });
});
afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

/** The answer, or why there is none. */
async function outcome(ask: () => Promise<{ readonly json: Uint8Array }>): Promise<unknown> {
  try {
    const { json } = await ask();
    return JSON.parse(Buffer.from(json).toString());
  } catch (error) {
    if (!(error instanceof RdgError)) throw error;
    expect([error.kind, error.code]).toEqual(
      error.code === "not_applied_yet" ? ["unavailable", error.code] : ["invalid", error.code],
    );
    expect(error.place).toBeTypeOf("string");
    return error;
  }
}

const good = {
  from: { type: "person", ids: ["p0", "p1", "__proto__"], select: ["name", "tags"] },
  hops: [
    {
      edge: "knows",
      direction: "both",
      order: "latest",
      limit: 3,
      since: "30d",
      until: "2030-01-01",
      where: {
        edge: { weight: { gte: 0.5, lt: 9 }, or: [{ times: "1" }, { not: { lastSeen: { lt: "15m" } } }] },
        node: { name: { prefix: "name" }, kind: { in: ["film"] }, tags: "a", photo: { present: false } },
      },
      select: { edge: ["weight"], node: [] },
    },
    { edge: "owns", order: "any", limit: 2 },
  ],
  budget: { edges: 50, scanned: 100 },
  timeoutMs: 100,
};
const goodText = JSON.stringify(good);
const words = [...new Set(goodText.match(/"[^"]*"|-?\d+(?:\.\d+)?|true|false/g))];
const odd = [
  '"__proto__"',
  '"constructor"',
  '"toString"',
  '""',
  '"\\ud800"',
  "null",
  "1e999",
  "-1",
  "[]",
  "{}",
  "[[]]",
  '"p0"',
  "9007199254740993",
];

/** JSON with some of its words and values replaced by others. */
const replaced = fc
  .array(fc.tuple(fc.nat(120), fc.constantFrom(...words, ...odd)), { minLength: 1, maxLength: 6 })
  .map((changes) => {
    const byPlace = new Map(changes);
    let place = 0;
    return goodText.replaceAll(/"[^"]*"|-?\d+(?:\.\d+)?|true|false/g, (word) => byPlace.get(place++) ?? word);
  });

const names = words.filter((word) => word.startsWith('"')).map((word) => JSON.parse(word) as string);
const { made } = fc.letrec<{ made: unknown }>((tie) => ({
  made: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom<unknown>(...words.map((word) => JSON.parse(word) as unknown), null, -1, 1e300, "", "__proto__"),
    fc.array(tie("made"), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.constantFrom(...names, "__proto__", "and", "continue", "waitFor"), tie("made")), {
        maxLength: 5,
      })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));

test("the request that others are made from is good", async () => {
  expect(await outcome(() => queries.traverse(good, context))).toHaveProperty("levels");
});

test("requests", async () => {
  const requests = fc.oneof(
    replaced.filter(isJson).map((text) => JSON.parse(text) as unknown),
    damage
      .map((changes) => damaged(Buffer.from(goodText), changes).toString())
      .filter(isJson)
      .map((text) => JSON.parse(text) as unknown),
    made,
    made.map((from) => ({ ...good, from })),
    made.map((hop) => ({ ...good, hops: [hop] })),
    made.map((where) => ({ ...good, hops: [{ edge: "knows", where }] })),
    made.map((waitFor) => ({ ...good, waitFor })),
  );
  const property = fc.asyncProperty(requests, async (request) => {
    await outcome(() => queries.traverse(request, context));
  });
  await fc.assert(property, { numRuns: rounds(1500) });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("texts, as far as the answer", async () => {
  const text =
    "(person {ids: ['p0', 'p1']})-[w:knows {limit: 3, since: '30d'}]-(f:person {kind: 'film'})-[:owns]->() WHERE w.weight >= 0.5 AND NOT f.name = 'x'";
  const tokens = [...new Set(text.match(/'[^']*'|\w+|[^\s\w]/g))];
  const pieces = fc.array(
    fc.tuple(fc.nat(60), fc.constantFrom(...tokens, "``", "''", "(", "[[", "-->", "1e999", "OR", "IN", "exists")),
    { maxLength: 6 },
  );
  const texts = fc.oneof(
    pieces.map((changes) => {
      const byPlace = new Map(changes);
      let place = 0;
      return text.replaceAll(/'[^']*'|\w+|[^\s\w]/g, (token) => byPlace.get(place++) ?? token);
    }),
    damage.map((changes) => damaged(Buffer.from(text), changes).toString()),
  );
  const property = fc.asyncProperty(texts, async (query) => {
    await outcome(() => queries.query({ query }, context));
  });
  await fc.assert(property, { numRuns: rounds(800) });
});

test("continuation tokens", async () => {
  const request = { from: { type: "person", ids: ["p0"] }, hops: [{ edge: "knows", direction: "in", limit: 2 }] };
  const first = (await outcome(() => queries.traverse(request, context))) as {
    hops: { truncated: { next: string } }[];
  };
  const token = first.hops[0]!.truncated.next;
  const property = fc.asyncProperty(damage, async (changes) => {
    const forged = damaged(Buffer.from(token), changes).toString();
    const answered = await outcome(() => queries.traverse({ continue: forged }, context));
    if (forged !== token) expect(["bad_continuation", "continuation_version"]).toContain((answered as RdgError).code);
  });
  await fc.assert(property, { numRuns: rounds(500) });
});
