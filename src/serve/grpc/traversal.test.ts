// Traversals over gRPC are those over HTTP: the same request, asked over loopback both ways, has the same answer, or is refused for the same reason.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { answerOf, messageOf } from "../../../test/grpc/json-forms.ts";
import { type Loopback, RpcError, openLoopback } from "../../../test/grpc/loopback.ts";
import { feed, models, nowMs, updatesOf } from "../../../test/query/random-graph.ts";
import { wideRequestsOf } from "../../../test/query/random-traversal.ts";
import { type Clock, systemTimers } from "../../core/clock.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { ContinueRequest, TraverseAnswer, TraverseRequest } from "../../model/traversal.ts";
import { createQueries } from "../../query/queries.ts";
import { openEmbeddedStore } from "../../store/embedded/open.ts";
import type { Store } from "../../store/port.ts";
import { referenceStore } from "../../testing/reference-store.ts";

const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };

const scenarios = models.chain((model) =>
  fc.record({
    model: fc.constant(model),
    updates: updatesOf(model),
    requests: fc.array(wideRequestsOf(model), { minLength: 1, maxLength: 6, size: "max" }),
  }),
);

async function askedByHttp(
  { http }: Loopback,
  request: TraverseRequest | ContinueRequest,
): Promise<Omit<TraverseAnswer, "timings"> | { readonly refused: string }> {
  const answer = await http.app.inject({
    method: "POST",
    url: "/v1/traverse",
    headers: { host: "localhost", "content-type": "application/json" },
    payload: JSON.stringify(request),
  });
  const body = answer.json<TraverseAnswer & { code: string }>();
  if (answer.statusCode !== 200) return { refused: body.code };
  const { timings: _timings, ...rest } = body;
  return rest;
}

async function askedByGrpc(
  { client }: Loopback,
  model: GraphModel,
  request: TraverseRequest | ContinueRequest,
): Promise<Omit<TraverseAnswer, "timings"> | { readonly refused: string }> {
  try {
    const message =
      "continue" in request
        ? { question: { $case: "continuation", value: request.continue } as const }
        : messageOf(request);
    return answerOf(await client.traverse(message), model);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    expect(error.fields[0]?.field, error.message).toMatch(/^[a-z_.[\]0-9]+$/);
    return { refused: error.reason.toLowerCase() };
  }
}

type Asked = Awaited<ReturnType<typeof askedByHttp>>;

function tokensOf(asked: Asked): string[] {
  const hops = "hops" in asked ? asked.hops : [];
  return hops.flatMap((hop) => (hop.complete ? [] : (hop.truncated.next ?? [])));
}

/** A token holds the request as it was written: with its members in another order it is another token. */
function withoutTokens(asked: Asked): unknown {
  return JSON.parse(
    JSON.stringify(asked, (key, value: unknown) => (key === "next" ? "a token" : value)).replaceAll(
      "__proto__",
      "proto",
    ),
  );
}

interface Opened {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

async function embedded(model: GraphModel): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-grpc-"));
  const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };
  const store = await openEmbeddedStore({ folder, model, clock, timers: systemTimers, settings });
  const close = async (): Promise<void> => {
    await store.close();
    await rm(folder, { recursive: true });
  };
  return { store, close };
}

const reference = async (model: GraphModel): Promise<Opened> => {
  return { store: referenceStore({ model, clock }), close: async () => undefined };
};

// The rows of the embedded one are written into answers where they lie.
test.each([
  ["reference", reference],
  ["embedded", embedded],
])("random requests of random graphs are answered as over HTTP, pages too: %s store", async (_, open) => {
  const seen = { answered: 0, refused: 0, continued: 0 };
  await fc.assert(
    fc.asyncProperty(scenarios, fc.constantFrom(1, 300, 100_000), async ({ model, updates, requests }, bytes) => {
      const { store, close } = await open(model);
      await feed(store, { model, updates, request: requests[0]! });
      const continuationKey = new Uint8Array(32).fill(3);
      const queries = createQueries({ model, store, clock, waitFor: async () => true, continuationKey });
      const loopback = await openLoopback({ model, clock, queries, grpc: { settings: { answerMessageBytes: bytes } } });
      try {
        for (const request of requests) {
          const expected = await askedByHttp(loopback, request);
          const answer = await askedByGrpc(loopback, model, request);
          expect(withoutTokens(answer)).toEqual(withoutTokens(expected));
          if ("refused" in expected) seen.refused++;
          else seen.answered++;
          const [token] = tokensOf(answer);
          if (token !== undefined) {
            seen.continued++;
            const more = { continue: token };
            expect(await askedByGrpc(loopback, model, more)).toEqual(await askedByHttp(loopback, more));
          }
        }
      } finally {
        await loopback.close();
        await close();
      }
    }),
    { numRuns: 25, endOnFailure: true },
  );
  expect(seen.answered).toBeGreaterThan(20);
});
