// GET /v1/topics/{topic}/records: any topic as JSON lines, and POST /v1/store/verify. For people and tools, off the hot path.
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { RdgError } from "../core/errors.ts";
import { parseTimestamp } from "../model/avro/json-values.ts";
import type { TopicQuery, TopicRecord, Verification } from "../observe/port.ts";
import type { ServerBounds } from "./server.ts";

export interface TopicOperations {
  /** @throws RdgError `not_found` for an unknown topic */
  openTopic(query: TopicQuery, signal: AbortSignal): Promise<AsyncIterable<TopicRecord>>;
  verifyStore(): Promise<Verification>;
}

const parameters = ["from", "until", "key", "limit", "follow"];

/** Records that are ready before the reader has taken the last ones; one may have more than 1 MiB. */
const recordsAhead = 2;

export function topicRoutes(
  app: FastifyInstance,
  operations: TopicOperations,
  { streams, proofs }: Pick<ServerBounds, "streams" | "proofs">,
): void {
  const readers = new Set<AbortController>();
  // Who follows a topic would keep the server from closing.
  app.addHook("preClose", (done) => {
    for (const reader of readers) reader.abort();
    done();
  });
  app.get<{ Params: { topic: string }; Querystring: Record<string, unknown> }>(
    "/v1/topics/:topic/records",
    async (request, reply) => {
      const query = topicQueryOf(request.params.topic, request.query);
      const left = new AbortController();
      const leave = streams.enter();
      readers.add(left);
      reply.raw.once("close", () => {
        leave();
        left.abort();
        readers.delete(left);
      });
      const records = await operations.openTopic(query, left.signal);
      reply.type("application/x-ndjson; charset=utf-8");
      return reply.send(Readable.from(lines(records), { highWaterMark: recordsAhead }));
    },
  );
  app.post("/v1/store/verify", async (_request, reply) => {
    return reply
      .type("application/json; charset=utf-8")
      .send(JSON.stringify(await proofs.run(() => operations.verifyStore())));
  });
}

async function* lines(records: AsyncIterable<TopicRecord>): AsyncGenerator<string> {
  for await (const record of records) yield `${JSON.stringify(record)}\n`;
}

function topicQueryOf(topic: string, query: Record<string, unknown>): TopicQuery {
  for (const name of Object.keys(query)) {
    if (!parameters.includes(name))
      throw bad(
        name.slice(0, 100),
        `There is no parameter "${name.slice(0, 100)}".`,
        `Parameters are: ${parameters.join(", ")}.`,
      );
  }
  const { key, follow } = query;
  if (key !== undefined && typeof key !== "string") throw bad("key", "The key is given twice.", "Give one key.");
  if (follow !== undefined && follow !== "true" && follow !== "false") {
    throw bad("follow", `follow is ${JSON.stringify(follow)}.`, "Write true or false.");
  }
  const from = query["from"] === "start" ? "start" : boundOf("from", query["from"]);
  return {
    topic,
    from,
    until: boundOf("until", query["until"]),
    key,
    limit: query["limit"] === undefined ? Infinity : countOf("limit", query["limit"]),
    follow: follow === "true",
  };
}

function boundOf(name: string, written: unknown): { offset: number } | { timeMs: number } | undefined {
  if (written === undefined) return undefined;
  if (typeof written === "string" && /^\d{1,15}$/.test(written)) return { offset: Number(written) };
  const isDay = typeof written === "string" && /^\d{4}-\d{2}-\d{2}$/.test(written);
  const timeMs = typeof written === "string" ? parseTimestamp(isDay ? `${written}T00:00:00Z` : written) : undefined;
  if (timeMs === undefined) {
    throw bad(name, `${name} is ${shown(written)}.`, "Write an offset, or a time such as 2026-01-31T10:00:00Z.");
  }
  return { timeMs };
}

function countOf(name: string, written: unknown): number {
  if (typeof written === "string" && /^[1-9]\d{0,14}$/.test(written)) return Number(written);
  throw bad(name, `${name} is ${shown(written)}.`, "Write a number from 1 on.");
}

function shown(written: unknown): string {
  return JSON.stringify(written)?.slice(0, 100) ?? "nothing";
}

function bad(parameter: string, message: string, hint: string): RdgError {
  return new RdgError("invalid", "bad_parameter", message, { place: parameter, hint });
}
