// Traversals as lines of JSON (Accept: application/x-ndjson), for answers that are larger than one likes to hold: walked as fast as they are taken, given up
// when their caller goes away. What fails after the first line is the last line.
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { QueryContext } from "../query/port.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { Admission } from "./guards.ts";
import { problemOf } from "./problems.ts";
import { contextOf } from "./query-answers.ts";
import { whenOver } from "./when-over.ts";

export interface StreamBounds {
  /** Streams that are open: each holds a level of its traversal. */
  readonly streams: Admission;
  readonly answers: ByteBudget;
}

const linesType = "application/x-ndjson";

export function wantsLines({ headers: { accept } }: FastifyRequest): boolean {
  return accept !== undefined && accept.includes(linesType);
}

/** Until the first line is there, failures are answered as always. */
export async function streamLines(
  request: FastifyRequest,
  reply: FastifyReply,
  ask: (context: QueryContext) => AsyncIterable<Uint8Array>,
  { streams, answers }: StreamBounds,
): Promise<FastifyReply> {
  const gone = new AbortController();
  answers.expect(1);
  const leave = streams.enter();
  whenOver(reply.raw, () => {
    gone.abort();
    leave();
  });
  const lines = ask(contextOf(request, gone.signal))[Symbol.asyncIterator]();
  const first = await lines.next();
  const cut = (): void => void reply.raw.destroy();
  const rest = counted(first, lines, answers, cut);
  return reply.type(`${linesType}; charset=utf-8`).send(Readable.from(rest, { highWaterMark: 1 }));
}

/** Each line counts among the answers that are not taken yet until the next one is asked for. */
async function* counted(
  first: IteratorResult<Uint8Array>,
  lines: AsyncIterator<Uint8Array>,
  answers: ByteBudget,
  cut: () => void,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await lines.next()) {
      const holding = answers.hold(cut);
      try {
        holding.addRegardless(next.value.length);
        yield next.value;
      } finally {
        holding.release();
      }
    }
  } catch (error) {
    yield Buffer.from(`${JSON.stringify({ error: problemOf(error) })}\n`);
  } finally {
    await lines.return?.();
  }
}
