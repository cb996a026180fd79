// The HTTP transport with answers made for it: what it sends, and what it makes of good, bad and broken ones.
import { describe, expect, test } from "vitest";
import { knows, person, bought } from "../../test/client/people.ts";
import { RdgError } from "../core/errors.ts";
import { type Client, type ConnectOptions, connect } from "./client.ts";

interface Seen {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly redirect: string | undefined;
}

/** A client that is given these answers, one after the other. */
function answering(
  answers: readonly (() => Response | Promise<Response>)[],
  options: ConnectOptions = {},
): { readonly rdg: Client; readonly seen: Seen[] } {
  const seen: Seen[] = [];
  const rdg = connect("http://rdg.test:7400/", {
    retries: 0,
    ...options,
    async fetch(url, { headers, body, redirect, signal }) {
      signal?.throwIfAborted();
      seen.push({ url, headers: headers as Record<string, string>, body: body as string, redirect });
      return answers[seen.length - 1]!();
    },
  });
  return { rdg, seen };
}

const end = { hops: [{ complete: true }], complete: true, asOf: [], timings: {} };
const node = { type: "person", id: "a" };
const edge = {
  type: "knows",
  from: "a",
  to: "b",
  firstSeen: "2026-01-01T00:00:00.000Z",
  lastSeen: "2026-01-01T00:00:00.000Z",
};
const level1 = { nodes: [{ ...node, id: "b" }], edges: [{ ...edge, properties: { since: 1 } }] };
const whole = { levels: [{ nodes: [node] }, level1], ...end };
const accepted = { accepted: 1, positions: ["events.bought/0@0"] };
const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}) =>
  () =>
    new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json", ...headers } });
const problem = (status: number, code: string, headers?: Record<string, string>) =>
  json({ code, detail: "It is so.", place: "/p", hint: "Do this." }, status, headers);

function streamed(chunks: readonly (string | Error)[]): () => Response {
  const encoder = new TextEncoder();
  let next = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks[next++];
      if (chunk === undefined) controller.close();
      else if (typeof chunk === "string") controller.enqueue(encoder.encode(chunk));
      else controller.error(chunk);
    },
  });
  return () => new Response(body, { headers: { "content-type": "application/x-ndjson; charset=utf-8" } });
}

const event = { who: "a", at: new Date(0), price: 1, raw: new Uint8Array() };

describe("requests", () => {
  test("carry the headers given and the token that is current", async () => {
    let issued = 0;
    const token = async (): Promise<string> => `t${++issued}`;
    const { rdg, seen } = answering([json(accepted), json(whole)], { token, headers: { "x-team": "a" } });
    await rdg.produce(bought, event);
    await rdg.from(person, "a").out(knows).run();
    expect(seen.map(({ headers }) => [headers["authorization"], headers["x-team"]])).toEqual([
      ["Bearer t1", "a"],
      ["Bearer t2", "a"],
    ]);
    expect(seen.map(({ url, redirect }) => [url, redirect])).toEqual([
      ["http://rdg.test:7400/v1/events/bought", "error"],
      ["http://rdg.test:7400/v1/traverse", "error"],
    ]);
    const fixed = answering([json(whole)], { token: "key" });
    await fixed.rdg.from(person, "a").run();
    expect(fixed.seen[0]!.headers["authorization"]).toBe("Bearer key");
  });

  test("that produce are repeated under one key; without attempts to come there is none", async () => {
    const { rdg, seen } = answering([problem(503, "x"), problem(429, "x"), json({ ...accepted, duplicate: true })], {
      retries: 2,
    });
    expect(await rdg.produce(bought, event)).toEqual({ ...accepted, duplicate: true });
    const keys = seen.map(({ headers }) => headers["idempotency-key"]);
    expect(keys[0]).toMatch(/^\w{26}$/);
    expect(new Set(keys).size).toBe(1);
    const once = answering([problem(503, "x"), json(accepted)]);
    await expect(once.rdg.produce(bought, event)).rejects.toMatchObject({ retryable: true });
    expect(once.seen.map(({ headers }) => headers["idempotency-key"])).toEqual([undefined]);
    const own = answering([json(accepted)]);
    await own.rdg.produce(bought, [event], { idempotencyKey: "mine" });
    expect(own.seen[0]!.headers["idempotency-key"]).toBe("mine");
  });

  test("are not sent when their signal is aborted", async () => {
    const { rdg, seen } = answering([]);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(rdg.from(person, "a").run({ signal })).rejects.toBe(reason);
    await expect(rdg.produce(bought, [event], { signal })).rejects.toBe(reason);
    await expect(rdg.nodes(person, ["a"], { signal })).rejects.toBe(reason);
    expect(seen).toEqual([]);
  });

  test("over gRPC have an entry point of their own", () => {
    expect(() => connect("grpc://127.0.0.1:7401")).toThrow(
      expect.objectContaining({ code: "grpc_elsewhere" }) as Error,
    );
  });
});

describe("failures", () => {
  test.each([
    [400, "invalid", false],
    [401, "unauthorized", false],
    [403, "unauthorized", false],
    [404, "not_found", false],
    [408, "unavailable", true],
    [409, "conflict", false],
    [413, "invalid", false],
    [429, "overloaded", true],
    [500, "internal", false],
    [502, "unavailable", true],
    [503, "unavailable", true],
    [504, "unavailable", true],
  ] as const)("%d is %s, retryable: %s", async (status, kind, retryable) => {
    const { rdg } = answering([problem(status, "some_code", { "retry-after": "3" })]);
    const failed = rdg.from(person, "a").run();
    await expect(failed).rejects.toMatchObject({ kind, retryable, code: "some_code", message: "It is so." });
    await expect(failed).rejects.toMatchObject({ place: "/p", hint: "Do this.", retryAfterMs: 3_000 });
  });

  test.each([
    ["no JSON", () => new Response("<html>"), "bad_answer"],
    ["a failure without a word", () => new Response("", { status: 500 }), "http_500"],
    ["a failure of something between", () => new Response("null", { status: 502 }), "http_502"],
    ["nobody", () => Promise.reject(new TypeError("fetch failed")), "no_answer"],
    ["an answer that breaks off", streamed([`{"levels":`, new TypeError("terminated")]), "no_answer"],
  ])("%s", async (_what, answer, code) => {
    const { rdg } = answering([answer]);
    const failed = rdg.from(person, "a").run();
    await expect(failed).rejects.toMatchObject({ code });
    await expect(failed).rejects.toBeInstanceOf(RdgError);
  });

  test("of single records are listed", async () => {
    const errors = [{ index: 1, field: "at", code: "bad_timestamp", reason: "no" }];
    const { rdg } = answering([json({ code: "bad_records", errors, errorCount: 7 }, 400)]);
    await expect(rdg.produce(bought, event, event)).rejects.toMatchObject({
      details: { problems: errors, problemCount: 7 },
    });
  });
});

describe("rows", () => {
  const lines = [
    `{"level":0,"nodes":[{"type":"person","id":"a"}]}`,
    `{"level":1,"edges":${JSON.stringify(level1.edges)}}`,
  ];
  const rest = [`{"level":1,"nodes":${JSON.stringify(level1.nodes)}}`, JSON.stringify({ end })];
  const text = [...lines, ...rest].map((line) => `${line}\n`).join("");
  async function read(rdg: Client): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const { to } of rdg.from(person, "a").out(knows).rows(0, { stream: true })) ids.push(to.id);
    return ids;
  }

  test.each([
    ["whole", [text]],
    ["in bytes", text.split("")],
    ["without a last line's end", [text.trimEnd()]],
  ])("of a stream that comes %s", async (_how, chunks) => {
    expect(await read(answering([streamed(chunks)]).rdg)).toEqual(["b"]);
  });

  test("of a server that answers at once", async () => {
    const { rdg, seen } = answering([json(whole)]);
    expect(await read(rdg)).toEqual(["b"]);
    expect(seen[0]!.headers["accept"]).toContain("application/x-ndjson");
  });

  test("are asked for again while nothing has come; later a failure is told", async () => {
    const { rdg, seen } = answering([problem(503, "x"), streamed([new TypeError("terminated")]), streamed([text])], {
      retries: 3,
    });
    expect(await read(rdg)).toEqual(["b"]);
    expect(seen).toHaveLength(3);
    const broken = answering([streamed([`${lines[0]}\n`, new TypeError("terminated")]), streamed([text])], {
      retries: 3,
    });
    await expect(read(broken.rdg)).rejects.toMatchObject({ code: "no_answer", retryable: true });
    const cut = answering([streamed([text.slice(0, text.indexOf('{"end"'))])]);
    await expect(read(cut.rdg)).rejects.toMatchObject({ code: "no_answer", retryable: true });
    const failing = JSON.stringify({ error: { status: 503, code: "store_gone", detail: "Gone." } });
    const told = answering([streamed([`${lines[0]}\n${failing}\n`])]);
    await expect(read(told.rdg)).rejects.toMatchObject({ code: "store_gone", kind: "unavailable" });
  });

  test("give the answer back when the loop ends early", async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) =>
          controller.enqueue(new TextEncoder().encode([...lines, rest[0], `{"level":2,"nodes":[]}`, ""].join("\n"))),
        cancel: () => void (cancelled = true),
      },
      { highWaterMark: 0 },
    );
    const { rdg } = answering([() => new Response(body, { headers: { "content-type": "application/x-ndjson" } })]);
    for await (const { to } of rdg.from(person, "a").out(knows).rows(0, { stream: true })) {
      expect(to.id).toBe("b");
      break;
    }
    expect(cancelled).toBe(true);
  });
});
