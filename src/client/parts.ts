// Answers in parts, as they come: opened again while nothing has come, then each part within the call's time.
import { RdgError } from "../core/errors.ts";
import type { TraverseAnswer } from "../model/traversal.ts";
import { type CallBounds, type CallPorts, call, timedOut } from "./calls.ts";
import type { AnswerPart, Transport } from "./transport.ts";

export async function* partsOf(
  transport: Transport,
  request: object,
  bounds: CallBounds,
  ports: CallPorts,
): AsyncGenerator<AnswerPart> {
  const stopped = new AbortController();
  let opened: AsyncIterator<AnswerPart> | undefined;
  const open = async (signal: AbortSignal): Promise<IteratorResult<AnswerPart>> => {
    opened = transport.parts(request, AbortSignal.any([signal, stopped.signal]))[Symbol.asyncIterator]();
    const first = await opened.next();
    if (first.done === true) throw brokeOff();
    return first;
  };
  try {
    for (let next = await call(open, bounds, ports); ;) {
      if (next.done === true) throw brokeOff();
      yield next.value;
      if ("end" in next.value) return;
      const cancel = ports.timers.after(bounds.timeoutMs, () => stopped.abort(timedOut(bounds.timeoutMs, undefined)));
      next = await opened!.next().finally(cancel);
    }
  } finally {
    // Also when the reader has enough.
    stopped.abort();
    await opened?.return?.();
  }
}

/** An answer that is there as a whole, in parts. */
export function* partsOfAnswer({ levels, ...end }: TraverseAnswer): Generator<AnswerPart> {
  for (const [level, { nodes, edges }] of levels.entries()) yield { level, nodes, ...(edges && { edges }) };
  yield { end };
}

/** Without its end an answer is none. */
export function brokeOff(): RdgError {
  return new RdgError("unavailable", "no_answer", "The answer broke off.", { hint: "Ask again." });
}
