// Questions over HTTP: each path asks its question, within the bounds that all queries share.
import { afterEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { GraphModel } from "../model/definition.ts";
import type { Queries, QueryContext } from "../query/port.ts";
import { type HttpServer, createServer } from "./server.ts";
import type { ServerSettings } from "./settings.ts";

const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [],
  edges: [],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

type Ask = (question: string, request: unknown, context: QueryContext) => Promise<unknown>;

function serve(ask: Ask, settings: Partial<ServerSettings> = {}): HttpServer {
  const names = ["nodes", "edges", "count", "shortestPath", "commonNeighbours"] as const;
  const questions = Object.fromEntries(
    names.map((name) => [name, (request: unknown, context: QueryContext) => ask(name, request, context)]),
  );
  const queries = questions as unknown as Queries;
  const server = createServer({
    model,
    clock: systemClock,
    timers: systemTimers,
    queries,
    settings: { port: 0, ...settings },
  });
  open.push(server);
  return server;
}

const headers = { host: "localhost:7400", "content-type": "application/json" };

test("each path asks its question", async () => {
  const { app } = serve(async (question, request) => ({ question, request }));
  for (const [path, question] of [
    ["nodes", "nodes"],
    ["edges", "edges"],
    ["count", "count"],
    ["shortest-path", "shortestPath"],
    ["common-neighbours", "commonNeighbours"],
  ]) {
    const answer = await app.inject({ method: "POST", url: `/v1/${path}`, headers, payload: '{"id":"\u{1f600}"}' });
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(answer.json()).toEqual({ question, request: { id: "\u{1f600}" } });
  }
});

test("what fails is told as anywhere else", async () => {
  const { app } = serve(async () => {
    throw new RdgError("unavailable", "deadline_exceeded", "Too late.", { retryAfterMs: 1_000 });
  });
  const answer = await app.inject({ method: "POST", url: "/v1/nodes", headers, payload: "{}" });
  expect([answer.statusCode, answer.headers["retry-after"]]).toEqual([504, "1"]);
  expect(answer.json()).toMatchObject({ code: "deadline_exceeded" });
});

test("those that wait for positions keep no others out, and no more are worked on than may be", async () => {
  const doors: (() => void)[] = [];
  const waits: Ask = (_, request) => new Promise((resolve) => doors.push(() => resolve(request)));
  const { app } = serve(waits, { queriesInFlightMax: 1, waitersMax: 1 });
  const ask = (payload: string): Promise<number> =>
    app.inject({ method: "POST", url: "/v1/count", headers, payload }).then(({ statusCode }) => statusCode);
  const waiting = ask('{"waitFor":["x/0@1"]}');
  const working = ask("{}");
  await expect.poll(() => doors.length).toBe(2);
  expect(await Promise.all([ask('{"waitFor":["x/0@1"]}'), ask("{}")])).toEqual([429, 429]);
  for (const opened of doors) opened();
  expect(await Promise.all([waiting, working])).toEqual([200, 200]);
});

test("who goes away gives the question up", async () => {
  const given = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const server = serve((_, _request, { signal }) => {
    asked.resolve();
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        given.resolve();
        reject(signal.reason as Error);
      });
    });
  });
  const { url } = await server.listen();
  const caller = new AbortController();
  const sent = fetch(`${url}/v1/shortest-path`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
    signal: caller.signal,
  });
  await asked.promise;
  caller.abort();
  await expect(sent).rejects.toThrow();
  await given.promise;
});
