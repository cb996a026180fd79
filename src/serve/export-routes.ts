// GET /v1/export: the whole visible graph as lines of JSON, as fast as they are taken. Who takes it sorts it; `rdg export` does.
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { RdgError } from "../core/errors.ts";
import type { GraphExport } from "../export/port.ts";
import { problemOf } from "./problems.ts";
import type { ServerBounds } from "./server.ts";
import { whenOver } from "./when-over.ts";

export function exportRoutes(
  app: FastifyInstance,
  graph: GraphExport,
  { streams }: Pick<ServerBounds, "streams">,
): void {
  const readers = new Set<AbortController>();
  // An export takes as long as its reader likes: it would keep the server from closing.
  app.addHook("preClose", (done) => {
    for (const reader of readers) reader.abort(closing());
    done();
  });
  app.get<{ Querystring: Record<string, unknown> }>("/v1/export", async (request, reply) => {
    const [parameter] = Object.keys(request.query);
    if (parameter !== undefined) {
      const name = parameter.slice(0, 100);
      throw new RdgError("invalid", "bad_parameter", `There is no parameter "${name}".`, {
        place: name,
        hint: "An export has none.",
      });
    }
    const reader = new AbortController();
    const leave = streams.enter();
    readers.add(reader);
    whenOver(reply.raw, () => {
      leave();
      reader.abort();
      readers.delete(reader);
    });
    reply.type("application/x-ndjson; charset=utf-8");
    return reply.send(Readable.from(told(graph.scan(reader.signal)), { highWaterMark: 1 }));
  });
}

function closing(): RdgError {
  return new RdgError("unavailable", "closing", "The server is closing.", { hint: "Export once more." });
}

/** What fails on the way is the last line: the reader knows, because it is no end. */
async function* told(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
  } catch (error) {
    yield Buffer.from(`${JSON.stringify({ error: problemOf(error) })}\n`);
  }
}
