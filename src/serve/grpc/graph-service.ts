// rdg.v1.GraphService over the query stage.
import { TraverseRequest } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type { Queries, TakesWhole } from "../../query/port.ts";
import type { Admission } from "../guards.ts";
import type { AnswerStream, Calls } from "./calls.ts";
import { AnswerEncoder, type PendingPart } from "./encode-answer.ts";
import { type QuestionCallsOptions, questionCalls } from "./question-calls.ts";
import { traverseRequestOf } from "./requests.ts";
import { type Handlers, graphMethods } from "./services.ts";
import type { GrpcSettings } from "./settings.ts";
import { encodedSummary } from "./summary.ts";

export interface GraphServiceOptions extends QuestionCallsOptions {
  /** Traversals whose readers do not keep up: what was walked for them is held. */
  readonly slowReaders: Admission;
  readonly settings: GrpcSettings;
}

/** Messages that may be on their way to a reader before the traversal waits for it. */
const messagesAhead = 4;

export function graphService(calls: Calls, options: GraphServiceOptions): Handlers<typeof graphMethods> {
  const { queries, bounds, model } = options;
  const bodies = bounds.otherBodies;
  const { answerMessageBytes } = options.settings;
  const encoder = new AnswerEncoder(model);
  return {
    Traverse: calls.serverStream(
      { path: graphMethods.Traverse.path, request: TraverseRequest, shape: "traverse", bodies },
      async (request, context, stream) => {
        const asked = traverseRequestOf(request, context.leftMs);
        bounds.answers.expect(1);
        const admission = request.waitFor.length > 0 ? bounds.waiters : bounds.queries;
        const turn = new Turn(admission, options.slowReaders);
        try {
          const whole: TakesWhole = (found, end) => {
            const message = encoder.whole(found, answerMessageBytes, () => encodedSummary(end()));
            if (message !== undefined) stream.write(message);
            return message !== undefined;
          };
          const isText = request.question?.$case === "query";
          const parts = isText
            ? queries.queryParts(asked, context.query, whole)
            : queries.traverseParts(asked, context.query, whole);
          await traverse(parts, encoder, stream, turn, answerMessageBytes);
        } finally {
          turn.end();
        }
      },
    ),
    ...questionCalls(calls, options),
  };
}

async function traverse(
  parts: ReturnType<Queries["traverseParts"]>,
  encoder: AnswerEncoder,
  stream: AnswerStream,
  turn: Turn,
  answerMessageBytes: number,
): Promise<void> {
  const pending: PendingPart[] = [];
  let rows = 0;
  for await (const part of parts) {
    // Nobody reads any more: what is left is given up.
    if (stream.ended) return;
    if (part.kind === "end") {
      const summary = encodedSummary(part);
      do {
        await keepUp(stream, turn, answerMessageBytes);
        stream.write(encoder.response(pending, answerMessageBytes, summary));
      } while (pending.length > 0);
      return;
    }
    pending.push({ part, at: part.from });
    rows += part.to - part.from;
    // A small answer is one message, with the summary.
    while (rows >= rowsPending) {
      await keepUp(stream, turn, answerMessageBytes);
      stream.write(encoder.response(pending, answerMessageBytes, undefined));
      rows = pending.reduce((sum, { at, part: { to } }) => sum + to - at, 0);
    }
  }
}

/** So many rows are not put into a message before there are more, or the end. */
const rowsPending = 500;

async function keepUp(stream: AnswerStream, turn: Turn, answerMessageBytes: number): Promise<void> {
  const bytesAhead = messagesAhead * answerMessageBytes;
  if (stream.pendingBytes <= bytesAhead) return;
  turn.slow();
  await stream.drained(bytesAhead);
}

/** A traversal counts among the queries that are worked on until it has to wait for its reader, and among the slow ones from then on. */
class Turn {
  readonly #slow: Admission;
  #leave: () => void;
  #isSlow = false;

  constructor(admission: Admission, slow: Admission) {
    this.#slow = slow;
    this.#leave = admission.enter();
  }

  /** @throws RdgError overloaded */
  slow(): void {
    if (this.#isSlow) return;
    const leave = this.#slow.enter();
    this.#leave();
    this.#leave = leave;
    this.#isSlow = true;
  }

  end(): void {
    this.#leave();
  }
}
